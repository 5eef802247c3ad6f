# What the scenarios share. A run.sh sets `here` to its own folder and sources this:
#
#     run.sh [--wrapper] [FOLDER]
#
# works in FOLDER, which it keeps, or in a temporary one. The runs are recorded by the plugin
# (`sifprov plugin install`), with --wrapper by `sifprov exec`. This sets $top, and enters the folder.
set -euo pipefail

top=$(cd "$here/../.." && pwd)
runtime=$("$top/tools/find-runtime")
PATH=$top/.venv/bin:$(dirname "$runtime"):$PATH
export SIFPROV_RUNTIME=$runtime

program=singularity
if [ "${1:-}" = --wrapper ]; then
    program=sifprov
    shift
fi
if [ "$#" -gt 1 ] || [[ "${1:-}" == -* ]]; then
    echo "usage: scenarios/$(basename "$here")/run.sh [--wrapper] [FOLDER]" >&2
    exit 2
fi
if [ "$#" -gt 0 ]; then
    mkdir -p "$1"
    work=$(cd "$1" && pwd)
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
cd "$work"

# application NAME DEFINITION: builds a container once, and puts a copy of it here as NAME.sif.
application() {
    cp --reflink=auto "$("$top/tools/build-app" "$2" 2>/dev/null)" "$1.sif"
}

# Prints a command as one would type it.
show() {
    local word line=
    for word in "$@"; do
        # What a shell takes as it stands needs no quotes.
        [[ "$word" =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]] || word=$(printf '%q' "$word")
        line+=" $word"
    done
    printf '\n$%s' "$line"
}

# Shows a command and runs it.
run() {
    show "$@"
    echo
    timeout 600 "$@"
}

# ends_with CODE COMMAND…: the same for one that is to end with this code.
ends_with() {
    local wanted=$1 code=0
    shift
    show "$@"
    echo "   # exits with $wanted"
    timeout 600 "$@" || code=$?
    [ "$code" = "$wanted" ] || { echo "it ended with $code, not $wanted" >&2; exit 1; }
}

# capture ARGUMENT…: what `singularity exec` takes, in a way that is recorded.
flags=()
capture() {
    run "$program" exec ${flags[@]+"${flags[@]}"} "$@"
}

# needs_flags IMAGE: some machines do not let even root hand its privileges into a container.
needs_flags() {
    if [ "$(id -u)" = 0 ] && ! timeout 60 "$runtime" exec "$1" true 2>/dev/null; then
        flags=(--no-privs)
    fi
}

# trail OUT.sif [EXPECTED]: shows its trail, which is as a file beside run.sh expects it.
trail() {
    run sifprov trail "$1"
    sifprov trail --json "$1" | python3 "$top/scenarios/check_trail.py" "${2:-$here/expected.json}"
}

# check OUT.sif [EXPECTED]: its trail; it can be replayed with the same result, and all is as it
# was recorded.
check() {
    trail "$@"
    run sifprov rerun -q "$1"
    run sifprov verify -q "$1"
}
