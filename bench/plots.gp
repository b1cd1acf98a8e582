# Two pictures; bench/plots.sh names the files.
set terminal svg size 820,460 font 'Helvetica,13' background '#ffffff'
set grid lc rgb '#dddddd'
set border 3
set tics nomirror
set key top left

# Columns: offered, sold, reserve p50 p99 p99.9, confirm p99, confirm to SOLD p99, 503 answers.
set output folder . '/load.svg'
set title 'Complete bookings: offered load, sold, and latency (open loop, everything on two cores)'
set xlabel 'offered bookings per second'
set ylabel 'sold bookings per second'
set y2label 'milliseconds'
set ytics nomirror
set y2tics
set logscale y2
set yrange [0:*]
set xrange [0:*]
plot sweep using 1:2 with linespoints lw 2 pt 7 lc rgb '#1f77b4' title 'sold', \
     sweep using 1:1 with lines dt 2 lc rgb '#999999' title 'offered', \
     sweep using 1:3 axes x1y2 with linespoints pt 6 lc rgb '#2ca02c' title 'reserve p50', \
     sweep using 1:4 axes x1y2 with linespoints pt 6 lc rgb '#ff7f0e' title 'reserve p99', \
     sweep using 1:7 axes x1y2 with linespoints pt 6 lc rgb '#d62728' title 'confirm to SOLD p99'

# Columns: 1/(1-quantile), quantile, reserve, confirm.
set output folder . '/latency.svg'
reset
set grid lc rgb '#dddddd'
set border 3
set tics nomirror
set key top left
set title 'Latency at 70 % of the saturating load, from the time a request was due'
set xlabel 'percentile'
set ylabel 'milliseconds'
set logscale x
set yrange [0:*]
set xtics ('50' 2, '90' 10, '99' 100, '99.9' 1000, '99.99' 10000, '99.999' 100000)
plot quantiles using 1:3 with lines lw 2 lc rgb '#1f77b4' title 'reserve', \
     quantiles using 1:4 with lines lw 2 lc rgb '#ff7f0e' title 'confirm'
