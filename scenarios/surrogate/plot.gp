# Draws what the networks learnt: `gnuplot -c plot.gp FOLDER…`, one folder of train.py's results for
# each network; /Outputs takes the picture. The last network's traces are shown.
set datafile separator ","
set terminal pngcairo size 1200,760 font "DejaVu Sans,11"
set output "/Outputs/surrogate.png"
set multiplot title "A neural network in place of a simulation: what a geophone hears of six layers" font ",13"
set border 3
set tics out nomirror
set grid ytics lc "#dddddd"
best = word(ARG1, words(ARG1))
set key at graph 0.98, 0.95 right top
set xlabel "time (s)"
set format y "%.2f"
set xrange [0:1.4]
set yrange [-0.1:0.15]
set xtics 0.4
do for [n = 1:3] {
    set lmargin at screen 0.08 + (n - 1) * 0.305
    set rmargin at screen 0.08 + n * 0.305 - 0.035
    set bmargin at screen 0.56
    set tmargin at screen 0.88
    set title sprintf("tested model %d", n) offset 0,-0.6
    set ylabel n == 1 ? "amplitude" : ""
    if (n > 1) { unset key }
    plot best."/traces.csv" using 1:(column(2 * n)) with lines lw 3 lc "#bbbbbb" title "simulated", \
        "" using 1:(column(2 * n + 1)) with lines lw 1.5 lc "#0072b2" title "predicted"
}
set key at graph 0.98, 0.95 right top
set lmargin at screen 0.08
set rmargin at screen 0.96
set bmargin at screen 0.09
set tmargin at screen 0.44
set title "the loss of each network while it learns" offset 0,-0.6
set xlabel "round"
set autoscale
set xtics autofreq
set ylabel "loss"
set logscale y
set format y "%g"
plot for [folder in ARG1] folder."/loss.csv" using 0:1 with lines lw 2 title folder[2:*] noenhanced
unset multiplot
