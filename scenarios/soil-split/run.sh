#!/usr/bin/env bash
# Scenario 4: as scenario 3, with training and evaluation data in input containers of their own.
#
#     scenarios/soil-split/run.sh [--wrapper] [FOLDER]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

application kknn "$here/../soil/kknn.def"
application forest "$here/../soil/forest.def"
needs_flags kknn.sif
for part in train eval; do
    python3 "$here/../soil/make_data.py" "$part" "$part"
    run sifprov data create "$part.sif" --from "$part" --mount "/Inputs/$part"
done
for model in kknn forest; do
    run sifprov data create "${model}_output.sif" --free 4M --mount /Outputs
    capture -B train.sif:/Inputs/train:image-src=/Inputs/train \
        -B eval.sif:/Inputs/eval:image-src=/Inputs/eval \
        -B "${model}_output.sif:/Outputs:image-src=/Outputs" \
        "$model.sif" "$model" /Inputs/train/train.csv /Inputs/eval/eval.csv /Outputs/soil.csv
done
for model in kknn forest; do
    sed "s/@MODEL@/$model/g" "$here/expected.json" >"expected_$model.json"
    check "${model}_output.sif" "$work/expected_$model.json"
done

# Other training data alone: the northern stations are out of order.
mkdir south
awk -F, 'NR == 1 || $1 < 40.7' train/train.csv >south/train.csv
run sifprov data create south.sif --from south --mount /Inputs/train
ends_with 1 sifprov rerun kknn_output.sif --with /Inputs/train=south.sif --into south_output.sif
