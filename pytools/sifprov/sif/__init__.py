"""Reads and writes SIF files. Nothing that a file says is trusted."""

from sifprov.sif.format import (
    DataType,
    Descriptor,
    FsType,
    Header,
    PartType,
    pack_partition,
    text_of,
)
from sifprov.sif.image import (
    Image,
    Partition,
    data_partition,
    find_partition,
    load,
    open_image,
    read_object,
)
from sifprov.sif.write import NewObject, add_partition, append, begin, data_offset

__all__ = [
    "DataType",
    "Descriptor",
    "FsType",
    "Header",
    "Image",
    "NewObject",
    "PartType",
    "Partition",
    "add_partition",
    "append",
    "begin",
    "data_offset",
    "data_partition",
    "find_partition",
    "load",
    "open_image",
    "pack_partition",
    "read_object",
    "text_of",
]
