# How badly one growth rate fits the counts: awk -v rate=0.42 [-v steps=500] -f model.awk observed.txt
#
# The model is logistic growth, dN/dt = rate · N · (1 - N / 1000), from the first count on. It is
# solved by Runge and Kutta's method of the fourth order; the misfit is the mean squared difference.
# Writes "rate misfit" to /Outputs/fit.txt. Only + - * / are used: every awk gives the same.

BEGIN { if (!steps) steps = 500 }

function slope(n) { return rate * n * (1 - n / 1000) }

function step(n, dt,    a, b, c, d) {
    a = slope(n)
    b = slope(n + dt / 2 * a)
    c = slope(n + dt / 2 * b)
    d = slope(n + dt * c)
    return n + dt / 6 * (a + 2 * b + 2 * c + d)
}

/^#/ { next }

!rows++ { time = $1; n = $2; next }

{
    dt = ($1 - time) / steps
    for (i = 0; i < steps; i++) n = step(n, dt)
    time = $1
    sum += (n - $2) * (n - $2)
}

END {
    if (rows < 2) exit 1
    printf "%.4f %.3f\n", rate, sum / (rows - 1) > "/Outputs/fit.txt"
}
