#!/bin/sh
# Prepares the raw tables of a folder: prepare RAW_FOLDER OUTPUT_FOLDER
# stations.csv becomes train.csv without the stations whose soil moisture is missing (NA) or no
# water content; grid.csv becomes eval.csv, sorted from north to south.
set -eu
awk -F, 'NR == 1 { print; next } $NF != "NA" && $NF > 0 && $NF < 1' "$1/stations.csv" >"$2/train.csv"
{
    awk 'NR == 1' "$1/grid.csv"
    awk 'NR > 1' "$1/grid.csv" | sort -t, -k1,1nr -k2,2n
} >"$2/eval.csv"
awk 'END { print FILENAME ": " NR - 1 " points" }' "$2/train.csv"
awk 'END { print FILENAME ": " NR - 1 " points" }' "$2/eval.csv"
