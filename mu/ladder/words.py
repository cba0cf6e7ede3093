"""What a ladder says, in words."""

from mu.evals.leaders import leaders
from mu.evals.text_tables import text_table, wrapped_table
from mu.ladder.run import Ladder

WIDTH = 120
"""Of sentences where there is no terminal."""


def ladder_text(ladder: Ladder, width: int | None) -> str:
    """The bar, the options that were chosen, the rungs that are missing, and what the log needs.

    Args:
      ladder: of `mu.ladder.run.measure_ladder`.
      width: of the terminal; None for any.
    """
    parts = [bar_sentence(ladder)]
    if ladder.options:
        rows = [
            [name, ", ".join(f"{key}={value}" for key, value in own.items()) or "the defaults"]
            for name, own in ladder.options.items()
        ]
        parts.append(text_table([["chosen on validation", ""], *rows], left=(0, 1)))
    parts += [f"{name} is left out: {reason}" for name, reason in ladder.left_out.items()]
    if ladder.needs:
        rows = [[one.what, one.answer, one.words] for one in ladder.needs]
        parts.append(wrapped_table([["does the log need", "", ""], *rows], left=(0, 1, 2), width=width or WIDTH))
    return "\n\n".join(parts)


def bar_sentence(ladder: Ladder) -> str:
    """'The bar is pctm: ndcg@10 0.0634 [0.0610, 0.0658]. Level with it: sequential_rules.'"""
    ahead = leaders(ladder.results, [ladder.metric])[ladder.metric]
    if not ahead.best:
        return f"No rung has a value of {ladder.metric}."
    (bar,) = (one for one in ladder.results[ahead.best].summary() if one.name == ladder.metric)
    level = f" Level with it: {', '.join(ahead.level)}." if ahead.level else " No other rung is level with it."
    return f"The bar is {ahead.best}: {ladder.metric} {bar.value:.4f} [{bar.low:.4f}, {bar.high:.4f}].{level}"
