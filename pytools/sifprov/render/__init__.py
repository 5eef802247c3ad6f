"""Draws a trail. Pure: a `Trail` or its `Graph` in, text out; only `dot.render_svg` runs a
program."""
