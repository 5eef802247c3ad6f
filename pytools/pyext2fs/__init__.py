"""Bindings to e2fsprogs by subprocess: make, read, check and change ext3 filesystems inside files.

Every function takes the path of a file and the offset, in bytes, at which the filesystem stands in
it. Nothing is mounted and no privilege is needed. Every failure is an `Ext2fsError`.
Import the modules by name (`pyext2fs.debugfs`): each costs only what it needs itself.
"""

from pyext2fs._run import (
    CorruptFilesystem,
    Ext2fsError,
    NoSpace,
    SourceChanged,
    ToolMissing,
)

__all__ = ["CorruptFilesystem", "Ext2fsError", "NoSpace", "SourceChanged", "ToolMissing"]
