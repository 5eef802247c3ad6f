"""Draws a trail. Pure: a `Trail` in, text out."""
