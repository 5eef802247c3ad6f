#!/bin/sh
# Makes one table and a picture of the results of a sweep: each stands in a container of its own,
# bound at /Sweep/NAME.
set -eu
export LC_ALL=C.UTF-8

cat /Sweep/*/fit.txt | sort -g >/Outputs/table.txt
sort -g -k 2 /Outputs/table.txt | head -n 1 >/Outputs/best.txt
read -r rate misfit </Outputs/best.txt
gnuplot --default-settings -e "rate = $rate; misfit = $misfit" /Inputs/gather.gp
