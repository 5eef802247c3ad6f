# The misfit of every growth rate, and the best of them beside the counts.
set terminal pngcairo size 1200,450 font "DejaVu Sans,11"
set output "/Outputs/sweep.png"
set multiplot layout 1,2 title sprintf("Logistic growth fitted to synthetic counts: the best rate is %.3f an hour", rate)
set xlabel "growth rate per hour"
set ylabel "mean squared difference"
set logscale y
set label sprintf("%.3f", rate) at rate, misfit offset 0, -0.8 center
plot "/Outputs/table.txt" with linespoints pointtype 7 pointsize 0.4 linecolor "#1b6f8a" notitle
unset label
unset logscale
set xlabel "hours"
set ylabel "count"
set key left top
first = system("awk '!/^#/ { print $2; exit }' /Inputs/observed.txt") + 0
plot "/Inputs/observed.txt" with points pointtype 7 pointsize 0.7 linecolor "#8c510a" title "counted", \
    1000 / (1 + (1000 / first - 1) * exp(-rate * x)) with lines linewidth 2 linecolor "#1b6f8a" title "fitted"
unset multiplot
