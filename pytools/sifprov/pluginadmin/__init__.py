"""Installs the runtime's plugin, looks at it, removes it.

Everything of it stands in one folder, `PLUGIN_ROOTDIR/sifprov`, that belongs to root:

    object.so, object.manifest   the runtime's own: the compiled plugin
    sifprov.json                 the plugin's configuration (docs/formats.md)
    helper-VERSION-ID/           the helper: these packages, standard library only

so that `singularity plugin uninstall sifprov` takes all of it away.
"""

from sifprov.pluginadmin.compiled import MisfitError, compile_to
from sifprov.pluginadmin.installing import RivalError, install, remove
from sifprov.pluginadmin.machine import Machine, find_runtimes
from sifprov.pluginadmin.payload import plugin_source
from sifprov.pluginadmin.place import Place, find_place
from sifprov.pluginadmin.states import SCHEMA, State, Status, status
from sifprov.pluginadmin.trial import RuntimeFailsError, TrialError

__all__ = [
    "SCHEMA",
    "Machine",
    "MisfitError",
    "Place",
    "RivalError",
    "RuntimeFailsError",
    "State",
    "Status",
    "TrialError",
    "compile_to",
    "find_place",
    "find_runtimes",
    "install",
    "plugin_source",
    "remove",
    "status",
]
