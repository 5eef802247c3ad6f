"""Bindings to e2fsprogs by subprocess."""
