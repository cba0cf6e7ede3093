"""Sequential rules (SeqRules): items that were played soon after those of the history."""

import dataclasses

from mu.baselines.decays import CountsShape, HistoryShape
from mu.baselines.windowed import WindowedCounts
from mu.ranges import Count


@dataclasses.dataclass(kw_only=True, eq=False)
class SequentialRules(WindowedCounts):
    """Scores an item by the rules of the newest plays of the history.

        S(a) = sum over plays h_j, j = 1, 2, ..., the newest first, of v(j) R[h_j, a]
        R[b, a] = sum over d = 1, ..., W of g(d) N_d(b -> a), each row cut to its strongest rules

    Ludewig & Jannach 2018 (`session-rec`), with the history of Petrov et al. 2026
    (spotify-research/sequential-capacity-probes). The defaults are theirs for Beauty: g(d) = 1 / log10(d + 1.7) of
    10 distances, v(j) = 1 / j^2 of the newest 10 plays, 100 rules an item. For the other options see `WindowedCounts`.
    """

    counts: CountsShape = "logarithmic"
    history: HistoryShape = "quadratic"
    history_length: Count | None = 10
    successors: Count | None = 100
