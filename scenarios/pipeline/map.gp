# Draws two predictions side by side, and what they differ by:
# the folders /Kknn and /Forest hold a table each, /Outputs takes the picture.
set datafile separator ","
set terminal pngcairo size 1500,400 font "DejaVu Sans,10"
set output "/Outputs/soil-moisture.png"
set multiplot layout 1,3 title "Soil moisture of a synthetic region, predicted on a 1 km grid"
set xlabel "degrees east"
set ylabel "degrees north"
set size ratio -1.33
set autoscale fix
set cblabel "water content (m³/m³)"
set palette defined (0 "#8c510a", 0.35 "#f6e8c3", 0.65 "#80cdc1", 1 "#01665e")
set cbrange [0.12:0.32]
set title "weighted k-nearest neighbours"
plot "/Kknn/soil.csv" every ::1 using 2:1:3 with points pointtype 5 pointsize 0.25 palette notitle
set title "random forest"
plot "/Forest/soil.csv" every ::1 using 2:1:3 with points pointtype 5 pointsize 0.25 palette notitle
set title "forest less neighbours"
set cblabel "difference"
set palette defined (0 "#2166ac", 0.5 "#f7f7f7", 1 "#b2182b")
set cbrange [-0.06:0.06]
plot "< paste -d, /Kknn/soil.csv /Forest/soil.csv" every ::1 using 2:1:($6-$3) \
    with points pointtype 5 pointsize 0.25 palette notitle
unset multiplot
