#!/usr/bin/env bash
# A chain of four applications: raw data are prepared, two models predict from them, and a picture
# shows both predictions. The last container tells the whole way.
#
#     scenarios/pipeline/run.sh [--wrapper] [FOLDER]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../common.sh"

application prepare "$here/prepare.def"
application kknn "$here/../soil/kknn.def"
application forest "$here/../soil/forest.def"
application gnuplot "$here/../gnuplot-single/gnuplot.def"
needs_flags prepare.sif

python3 "$here/../soil/make_data.py" made
mkdir raw style
# Some stations sent nothing, as stations do.
awk -F, -v OFS=, 'NR > 1 && NR % 11 == 0 { $NF = "NA" } { print }' made/train.csv >raw/stations.csv
mv made/eval.csv raw/grid.csv
rm -r made
cp "$here/map.gp" style
run sifprov data create raw.sif --from raw --mount /Raw
run sifprov data create style.sif --from style --mount /Style
run sifprov data create prepared.sif --free 16M --mount /Prepared
run sifprov data create kknn_output.sif --free 4M --mount /Kknn
run sifprov data create forest_output.sif --free 4M --mount /Forest
run sifprov data create picture.sif --free 2M --mount /Outputs

capture -B raw.sif:/Raw:image-src=/Raw -B prepared.sif:/Prepared:image-src=/Prepared \
    prepare.sif prepare /Raw /Prepared
capture -B prepared.sif:/Prepared:image-src=/Prepared,ro -B kknn_output.sif:/Kknn:image-src=/Kknn \
    kknn.sif kknn /Prepared/train.csv /Prepared/eval.csv /Kknn/soil.csv
capture -B prepared.sif:/Prepared:image-src=/Prepared,ro \
    -B forest_output.sif:/Forest:image-src=/Forest \
    forest.sif forest /Prepared/train.csv /Prepared/eval.csv /Forest/soil.csv
capture -B kknn_output.sif:/Kknn:image-src=/Kknn,ro \
    -B forest_output.sif:/Forest:image-src=/Forest,ro -B style.sif:/Style:image-src=/Style \
    -B picture.sif:/Outputs:image-src=/Outputs gnuplot.sif gnuplot /Style/map.gp
trail picture.sif
run sifprov verify -q picture.sif

# What the preparation and the models made is lost: the last run cannot be replayed from it, but
# the picture tells the whole way, and from the raw data all of it is made again.
rm prepared.sif kknn_output.sif forest_output.sif
ends_with 3 sifprov rerun -q picture.sif
run sifprov rerun --from-origin --jobs 2 --keep picture.sif
run sifprov verify -q picture.rerun-1.sif
