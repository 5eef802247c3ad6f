"""All that the helper imports, in one file: to find, open and read a hundred takes longer.

    sys.version, 0, marshal of (this module's code, {name: (code, path, folder of a package or "")})

It holds Python's own modules too. The interpreter that will read it writes it, when the plugin is
installed; for any other, the helper is imported as everything is. Docstrings are left out.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

    Modules = dict[str, tuple[CodeType, str, str]]

# What every run imports late.
_LATE = ("pyext2fs.inodes", "sifprov.filesystem.ext3")


def bundle(before: set[str]) -> bytes:
    """Returns the file; `before` are the modules that this process had when it began."""
    import marshal

    quick_uuid()
    for name in ("sifprov.helper", *_LATE):
        __import__(name)
    modules: Modules = {}
    for name, module in sys.modules.items():
        path = getattr(module.__spec__, "origin", None) or ""
        if name not in before and path.endswith(".py"):
            folders = module.__spec__.submodule_search_locations if module.__spec__ else None
            modules[name] = _compiled(path), path, folders[0] if folders else ""
    return sys.version.encode() + b"\0" + marshal.dumps((_compiled(__file__), modules))


def _compiled(path: str) -> "CodeType":
    with open(path, "rb") as file:
        code: CodeType = compile(file.read(), path, "exec", dont_inherit=True, optimize=2)
    return code


def use(modules: "Modules") -> None:
    """Lets modules be imported from a bundle. What it does not hold is looked for elsewhere."""
    from _frozen_importlib import ModuleSpec

    class Finder:
        """As importlib's finders and loaders are, both in one."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
            if name not in modules:
                return None
            _, origin, folder = modules[name]
            spec = ModuleSpec(name, Finder, origin=origin)  # type: ignore[arg-type]
            spec.has_location = True
            if folder:
                spec.submodule_search_locations = [folder]
            return spec

        @staticmethod
        def create_module(spec: "ModuleSpec") -> None:
            return None

        @staticmethod
        def exec_module(module: "ModuleType") -> None:
            exec(modules[module.__name__][0], module.__dict__)  # noqa: S102

    sys.meta_path.insert(0, Finder)


def quick_uuid() -> None:
    """Imports `uuid` without what it imports for other kinds than random ones, which takes longer
    than all of `json`: `platform`, to ask for the system's name, and libuuid. Not beside other
    threads."""
    if "uuid" in sys.modules or "platform" in sys.modules:
        return
    from types import SimpleNamespace

    modules: dict[str, object] = sys.modules  # type: ignore[assignment]
    modules["platform"] = SimpleNamespace(system=lambda: "Linux")
    modules["_uuid"] = None
    try:
        import uuid  # noqa: F401
    finally:
        del sys.modules["platform"], sys.modules["_uuid"]
