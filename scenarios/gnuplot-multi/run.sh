#!/usr/bin/env bash
# Scenario 2: three input containers with a text file each, one gnuplot container, three output
# containers with a picture each.
#
#     scenarios/gnuplot-multi/run.sh [--wrapper] [FOLDER]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

application gnuplot "$here/../gnuplot-single/gnuplot.def"
needs_flags gnuplot.sif
for n in 1 2 3; do
    mkdir "data$n"
    cp "$here/../gnuplot-single/inputs/text$n.txt" "data$n"
    run sifprov data create "input$n.sif" --from "data$n" --mount /Inputs
    run sifprov data create "output$n.sif" --free 4M --mount /Outputs
    capture -B "input$n.sif:/Inputs:image-src=/Inputs" \
        -B "output$n.sif:/Outputs:image-src=/Outputs" gnuplot.sif gnuplot.sh
done
for n in 1 2 3; do
    sed "s/@N@/$n/g" "$here/expected.json" >"expected$n.json"
    check "output$n.sif" "$work/expected$n.json"
done

# The first picture's run on the second one's data gives another picture, and says so.
ends_with 1 sifprov rerun -q output1.sif --with /Inputs=input2.sif --into other.sif
run sifprov data ls -R other.sif
