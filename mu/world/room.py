"""The kernel of the room: comb filters and all-passes add echoes (Schroeder 1962, Moorer 1979)."""

from mu_kernels.compile import kernel

# Delays of the combs and all-passes in seconds, without common divisors.
COMBS_S = (0.0297, 0.0371, 0.0411, 0.0437)
ALL_PASSES_S = (0.0050, 0.0017)


@kernel
def add_room(x, wet, seconds, line, echoes, rate):
    """Adds `wet` times the echoes of x [N] to it; echoes fall by 60 dB in so many `seconds`.

    Combs that lose treble, then all-passes; `line` and `echoes` are working memory.
    """
    echoes[:] = 0.0
    for comb in COMBS_S:
        n = int(comb * rate)
        feedback = 0.001 ** (comb / seconds)
        line[:n] = 0.0
        damped, place = 0.0, 0
        for at in range(len(x)):
            echo = line[place]
            damped = 0.7 * echo + 0.3 * damped
            line[place] = x[at] + feedback * damped
            place = place + 1 if place + 1 < n else 0
            echoes[at] += 0.25 * echo
    for all_pass in ALL_PASSES_S:
        n = int(all_pass * rate)
        line[:n] = 0.0
        place = 0
        for at in range(len(x)):
            echo = line[place]
            value = echoes[at] + 0.7 * echo
            line[place] = value
            echoes[at] = echo - 0.7 * value
            place = place + 1 if place + 1 < n else 0
    for at in range(len(x)):
        x[at] += wet * echoes[at]
