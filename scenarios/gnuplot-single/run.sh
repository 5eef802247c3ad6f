#!/usr/bin/env bash
# Scenario 1: three text files in one input container, one gnuplot container, three pictures in one
# output container.
#
#     scenarios/gnuplot-single/run.sh [--wrapper] [FOLDER]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

application gnuplot "$here/gnuplot.def"
needs_flags gnuplot.sif
cp -r "$here/inputs" data
run sifprov data create input.sif --from data --mount /Inputs
run sifprov data create output.sif --free 8M --mount /Outputs
capture -B input.sif:/Inputs:image-src=/Inputs -B output.sif:/Outputs:image-src=/Outputs \
    gnuplot.sif gnuplot.sh
trail output.sif
run sifprov rerun output.sif
run sifprov verify output.sif
