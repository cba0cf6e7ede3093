"""Results as text: one line a recommender, one column a metric; turned round where that gets too wide."""

from collections.abc import Mapping, Sequence

from mu.evals.ranking import RankingResult

# Wider tables are turned round: metrics down, recommenders across.
WIDTH = 120


def format_table(results: Mapping[str, RankingResult], samples: int = 1000, seed: int = 0) -> str:
    """A table of means with their 95 % bootstrap intervals, and a line that says over whom.

    Args:
      results: name of the recommender -> its result; all from one evaluator.
      samples, seed: of the bootstrap.
    """
    first = next(iter(results.values()))
    rows = [["", *first.values]]
    for name, result in results.items():
        cells = [f"{mean:.4f} [{low:.4f}, {high:.4f}]" for _, mean, low, high in result.summary(samples, seed)]
        rows.append([name, *cells])
    if len(align(rows).partition("\n")[0]) > WIDTH:
        rows = [list(column) for column in zip(*rows, strict=True)]
    note = f"{len(first.users):,} users; brackets: 95 % bootstrap interval over users"
    if first.n_without_targets:
        note += f"; {first.n_without_targets:,} users without targets left out"
    if first.n_cold_targets:
        note += f"; {first.n_cold_targets:,} of {first.n_targets:,} targets unseen in training, counted as misses"
    return f"{align(rows)}\n{note}."


def align(rows: Sequence[Sequence[str]]) -> str:
    """Cells in columns: the first flush left, the others right; a line under the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * (sum(widths) + 2 * len(widths) - 2))
    return "\n".join(lines)
