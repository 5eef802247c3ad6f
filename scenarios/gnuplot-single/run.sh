#!/usr/bin/env bash
# Scenario 1: three text files in one input container, one gnuplot container, three pictures in one
# output container. Needs the plugin (`sifprov plugin install`), which records the plain run below.
#
#     scenarios/gnuplot-single/run.sh [FOLDER]
#
# works in FOLDER, which it keeps, or in a temporary one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
runtime=$("$top/tools/find-runtime")
app=$("$top/tools/build-app" "$here/gnuplot.def" 2>/dev/null)
PATH=$top/.venv/bin:$(dirname "$runtime"):$PATH
export SIFPROV_RUNTIME=$runtime
flags=()
# Some machines do not let even root hand its privileges into a container.
if [ "$(id -u)" = 0 ] && ! timeout 60 singularity exec "$app" true 2>/dev/null; then
    flags=(--no-privs)
fi

if [ "$#" -gt 0 ]; then
    mkdir -p "$1"
    work=$(cd "$1" && pwd)
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
cd "$work"

# Shows a command as one would type it, and runs it.
run() {
    printf '\n$ %s\n' "$(printf '%q ' "$@" | sed "s|$app|gnuplot.sif|; s| *\$||")"
    timeout 300 "$@"
}

cp -r "$here/inputs" data
run sifprov data create input.sif --from data --mount /Inputs
run sifprov data create output.sif --free 8M --mount /Outputs
run singularity exec "${flags[@]}" -B input.sif:/Inputs:image-src=/Inputs \
    -B output.sif:/Outputs:image-src=/Outputs "$app" gnuplot.sh
run sifprov trail output.sif
sifprov trail --json output.sif | python3 "$top/scenarios/check_trail.py" "$here/expected.json"
run sifprov rerun output.sif
