#!/bin/sh
# Plots every text file of a folder with gnuplot: /Inputs/NAME.txt becomes /Outputs/NAME.png.
# A text file is a gnuplot script that holds its data points and the specification of its plot.
set -eu
inputs=${1:-/Inputs}
outputs=${2:-/Outputs}
# The same picture for everybody: no personal settings, no local decimal signs.
export LC_ALL=C.UTF-8

for file in "$inputs"/*.txt; do
    [ -f "$file" ] || { echo "gnuplot.sh: no text file in $inputs" >&2; exit 1; }
    picture=$outputs/$(basename "$file" .txt).png
    gnuplot --default-settings -e 'set terminal pngcairo size 800,600 font "DejaVu Sans,11"' \
        "$file" >"$picture" || { rm -f "$picture"; exit 1; }
done
