#!/usr/bin/env bash
# A neural network that stands in for a simulation, as a workflow: three compositions of container
# images, each under two runtimes, and what the catalog then says of them.
#
#     scenarios/surrogate/run.sh [FOLDER]
#
# The runs are recorded by `sifprov exec`, which `sifprov workflow run` starts.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

apptainer=${APPTAINER:-$("$top/tools/build-apptainer" --find)/apptainer}
export SIFPROV_CATALOG=$work/catalog.db
for name in simulate learn plot all; do
    application "$name" "$here/$name.def"
done
needs_flags simulate.sif
userns=()
[ "$(id -u)" = 0 ] || userns=(--runtime-option=--userns)

python3 "$here/make_data.py" design
run sifprov data create design.sif --from design --mount /Design
for environment in singularity apptainer; do
    python3 "$here/make_workflows.py" "$environment" ${flags[@]+"${flags[@]}"}
    with=(--runtime "$runtime")
    [ "$environment" = singularity ] || with=(--runtime "$apptainer" ${userns[@]+"${userns[@]}"})
    for composition in coarse hybrid fine; do
        mkdir "$environment/$composition"
        mv "$environment/$composition.json" "$environment/$composition/surrogate.json"
        run sifprov workflow run "${with[@]}" "$environment/$composition/surrogate.json"
    done
done
# The second time nothing is left to do.
run sifprov workflow run --runtime "$runtime" singularity/fine/surrogate.json

run sifprov index .
# The compositions and their images; the images; what each composition took in each environment.
run sifprov query q2 --workflow surrogate
run sifprov query q5 --user '*scenarios'
run sifprov query q7 --workflow surrogate --metric r2 --all
run sifprov query q7 --workflow surrogate --metric r2
run sifprov query q8 --workflow surrogate --metric r2
run sifprov query q6 --workflow surrogate --where 'r2>0.9' --composition fine
run sifprov find activity=simulate input=design.sif app=simulate.sif
run sifprov impact design.sif --depth 1
check singularity/fine/picture.sif
