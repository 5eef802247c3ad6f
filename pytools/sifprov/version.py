"""The one place where the version stands (setup.cfg and the records read it here)."""

VERSION = "0.1.0"
