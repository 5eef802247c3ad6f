#!/usr/bin/env bash
# A parameter sweep: one input container, 200 short runs side by side, an output container each;
# then one application reads all 200 and writes a table and a picture.
#
#     [RUNS=200] [JOBS=N] [LAUNCHER=xargs|parallel] scenarios/sweep/run.sh [--wrapper] [FOLDER]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

runs=${RUNS:-200}
# Each run takes three loop devices: application, input and output. The runtimes use 256.
taken=$({ ls -d /sys/block/loop*/loop 2>/dev/null || true; } | wc -l)
room=$(((256 - taken) / 3))
jobs=${JOBS:-$(($(nproc) * 2))}
[ "$jobs" -le "$room" ] || jobs=$room
[ "$jobs" -gt 0 ] || { echo "sweep: no three loop devices are free" >&2; exit 3; }

application busybox "$top/tests/real/busybox.def"
application gnuplot "$here/../gnuplot-single/gnuplot.def"
needs_flags busybox.sif

python3 "$here/make_data.py" data
cp "$here/model.awk" "$here/gather.sh" "$here/gather.gp" data
run sifprov data create input.sif --from data --mount /Inputs

# The growth rates, evenly from 0.2 to 0.6. What each run is given is also its container's name.
seq 1 "$runs" | awk -v n="$runs" '{ printf "%.4f\n", 0.2 + 0.4 * $1 / n }' >rates.txt

case ${LAUNCHER:-xargs} in
    xargs) launch="xargs -P $jobs -I {}" ;;
    parallel) launch="parallel --will-cite --halt now,fail=1 -j $jobs" ;;
    *) echo "sweep: LAUNCHER is xargs or parallel" >&2; exit 2 ;;
esac

# 200 empty containers: in one process, which takes a fifth of the time of 200 `data create`.
mkdir fits
python3 -c '
import sys, sifprov
for rate in sys.stdin.read().split():
    sifprov.make(f"fits/{rate}.sif", mount="/Outputs", free="64K")
' <rates.txt
# `ro` lets the runs share their input. The plugin and the wrapper would add it themselves.
sweep=("$program" exec ${flags[@]+"${flags[@]}"} -B input.sif:/Inputs:image-src=/Inputs,ro \
    -B fits/{}.sif:/Outputs:image-src=/Outputs \
    busybox.sif awk -v rate={} -f /Inputs/model.awk /Inputs/observed.txt)
printf '\n$ %s\n' "$launch ${sweep[*]} <rates.txt"
began=$(date +%s%N)
timeout 900 $launch "${sweep[@]}" <rates.txt
ended=$(date +%s%N)
printf '%s runs, %s at once, in %s s\n' "$runs" "$jobs" "$(((ended - began) / 1000000000))"

run sifprov data create result.sif --free 2M --mount /Outputs
binds=()
while read -r rate; do
    binds+=(-B "fits/$rate.sif:/Sweep/$rate:image-src=/Outputs,ro")
done <rates.txt
run "$program" exec ${flags[@]+"${flags[@]}"} -B input.sif:/Inputs:image-src=/Inputs \
    "${binds[@]}" -B result.sif:/Outputs:image-src=/Outputs gnuplot.sif sh /Inputs/gather.sh >gather.log
run sifprov data cat result.sif /Outputs/best.txt

# 200 inputs are folded to a few lines; the last container alone tells all of the runs.
run sifprov trail --collapse result.sif
sifprov trail --json result.sif >trail.json
python3 "$here/check_sweep.py" trail.json rates.txt
run sifprov verify -q result.sif
read -r best _ < <(sifprov data cat result.sif /Outputs/best.txt)
run sifprov rerun -q "fits/$best.sif"
