#!/usr/bin/env bash
# Scenario 3: one input container with training and evaluation data, two applications, weighted
# k-nearest neighbours and a random forest, with an output container each.
#
#     scenarios/soil-shared/run.sh [--wrapper] [FOLDER]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

application kknn "$here/../soil/kknn.def"
application forest "$here/../soil/forest.def"
needs_flags kknn.sif
python3 "$here/../soil/make_data.py" data
python3 "$here/../soil/make_data.py" . truth
run sifprov data create input.sif --from data --mount /Inputs
for model in kknn forest; do
    run sifprov data create "${model}_output.sif" --free 4M --mount /Outputs
    capture -B input.sif:/Inputs:image-src=/Inputs \
        -B "${model}_output.sif:/Outputs:image-src=/Outputs" \
        "$model.sif" "$model" /Inputs/train.csv /Inputs/eval.csv /Outputs/soil.csv
done
for model in kknn forest; do
    sed "s/@MODEL@/$model/g" "$here/expected.json" >"expected_$model.json"
    check "${model}_output.sif" "$work/expected_$model.json"
done

# The models never saw what is true everywhere: this program wrote the data, and knows it.
for model in kknn forest; do
    printf '\n$ sifprov data cat %s_output.sif /Outputs/soil.csv | score.py truth.csv\n' "$model"
    sifprov data cat "${model}_output.sif" /Outputs/soil.csv | python3 "$here/../soil/score.py" truth.csv
done
