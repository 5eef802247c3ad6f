"""The functions that `sifprov shell-init` prints: they hand what runs a container to `sifprov`.

They look at the words before the action only, where `-c FILE` is the one option with a value.
Nothing is exported: a container would see it in its environment.
"""

from __future__ import annotations

_HEAD = """\
# Runs of containers go to sifprov, which records them; everything else to the runtime itself.
"""

_POSIX = (
    _HEAD
    + """\
_sifprov_route() {
    local name="$1" program="" word="" skip=""
    shift
    program=$(@FIND@ "$name") || program=""
    if [ -n "$program" ] && @FIND@ sifprov >/dev/null; then
        for word in "$@"; do
            if [ -n "$skip" ]; then
                skip=""
                continue
            fi
            case "$word" in
                --config) skip=1 ;;
                --*) ;;
                -*c) skip=1 ;;
                -*) ;;
                exec | run | shell)
                    command sifprov "$word" --line "$program" "$@"
                    return
                    ;;
                *) break ;;
            esac
        done
    fi
    command "$name" "$@"
}
singularity() { _sifprov_route singularity "$@"; }
apptainer() { _sifprov_route apptainer "$@"; }
"""
)

_FISH = (
    _HEAD
    + """\
function _sifprov_route
    set -l name $argv[1]
    set -l rest $argv[2..-1]
    set -l program (command -s $name)
    set -l skip ''
    if test -n "$program"; and command -sq sifprov
        for word in $rest
            if test -n "$skip"
                set skip ''
                continue
            end
            switch $word
                case --config
                    set skip 1
                case '--*'
                case '-*c'
                    set skip 1
                case '-*'
                case exec run shell
                    command sifprov $word --line $program $rest
                    return
                case '*'
                    break
            end
        end
    end
    command $name $rest
end
function singularity; _sifprov_route singularity $argv; end
function apptainer; _sifprov_route apptainer $argv; end
"""
)

FUNCTIONS = {
    "bash": _POSIX.replace("@FIND@", "type -P --"),
    "zsh": _POSIX.replace("@FIND@", "whence -p --"),
    "fish": _FISH,
}
