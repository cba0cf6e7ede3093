"""What an evaluation leaves out, counted by reason: one form for all of them.

In `Result.counts` 'plays' is how many there were and 'plays left out: played before' how many of them were left out for
that reason. The sentences below a table are made of these counts.
"""

from collections.abc import Mapping

LEFT_OUT = " left out: "


def left_out(what: str, total: int, reasons: Mapping[str, int]) -> dict[str, int]:
    """The counts of things that could be measured, and of those that are not, by reason.

    Args:
      what: they are: 'users', 'plays', 'clips of genre'.
      total: how many there were.
      reasons: reason -> how many were left out for it; each is left out for one reason.
    """
    return {what: total} | {f"{what}{LEFT_OUT}{reason}": n for reason, n in reasons.items()}


def left_out_sentences(counts: Mapping[str, int]) -> list[str]:
    """'32 of 401 plays, 369 left out: release unknown 300, played again 69', for each kind of thing that lost any."""
    sentences = []
    for what, total in counts.items():
        reasons = {
            name.removeprefix(what + LEFT_OUT): n
            for name, n in counts.items()
            if name.startswith(what + LEFT_OUT) and n
        }
        if reasons:
            lost = sum(reasons.values())
            said = ", ".join(f"{reason} {n:,}" if len(reasons) > 1 else reason for reason, n in reasons.items())
            sentences.append(f"{total - lost:,} of {total:,} {what}, {lost:,} left out: {said}")
    return sentences
