# Draws two predictions side by side, and what they differ by:
# the folders /Kknn and /Forest hold a table each, /Outputs takes the picture.
set datafile separator ","
set terminal pngcairo size 1560,420 font "DejaVu Sans,11"
set output "/Outputs/soil-moisture.png"
set multiplot title "Soil moisture of a synthetic region, predicted on a 1 km grid" \
    font ",13"
set size ratio -1.31 # a degree of longitude is shorter, at 40° north
set xrange [-96.5:-93.05]
set yrange [39.25:41.3]
set xtics ("96°W" -96, "95°W" -95, "94°W" -94) out nomirror
set ytics 0.5 format "%.1f°N" out nomirror
set bmargin at screen 0.11
set tmargin at screen 0.803
set style data points
cell = "pointtype 5 pointsize 0.32 palette notitle"

# Sequential for an amount, the same for both; diverging for a difference.
set palette defined (0 "#fcffdd", 1 "#e3f8d4", 2 "#bce9c5", 3 "#85d5b7", 4 "#18bdb0", \
    5 "#00a0ae", 6 "#007eb3", 7 "#004c90", 8 "#26185f")
set cbrange [0.12:0.28]
set cbtics 0.04 format "%.2f"
set cblabel "volumetric soil moisture (m³/m³)" offset 1
set title "weighted k-nearest neighbours" offset 0,-0.3
set lmargin at screen 0.05
set rmargin at screen 0.29
unset colorbox
plot "/Kknn/soil.csv" every ::1 using 2:1:3 @cell
set title "random forest"
set format y ""
set lmargin at screen 0.305
set rmargin at screen 0.545
set colorbox user origin screen 0.553, screen 0.11 size screen 0.01, screen 0.693
plot "/Forest/soil.csv" every ::1 using 2:1:3 @cell

set palette defined (0 "#002f70", 1 "#517ac9", 2 "#b4c2eb", 3 "#f6f6f6", 4 "#edb4b5", \
    5 "#c05d5d", 6 "#5f1415")
set cbrange [-0.06:0.06]
set cbtics 0.02 format "%+.2f"
set cblabel "difference (m³/m³)" offset 1
set title "forest less neighbours"
set format y "%.1f°N"
set lmargin at screen 0.665
set rmargin at screen 0.905
set colorbox user origin screen 0.913, screen 0.11 size screen 0.01, screen 0.693
plot "< paste -d, /Kknn/soil.csv /Forest/soil.csv" every ::1 using 2:1:($6-$3) @cell
unset multiplot
