"""The record trail in other people's formats. Pure: a `Graph` in, text out. See docs/prov.md."""
