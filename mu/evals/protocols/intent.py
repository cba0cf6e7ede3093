"""Intent protocol: before each held-out play a recommender says how likely it is finished, skipped or a repeat."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Self

import numpy as np

from mu.data.features import earlier_plays, recent_repeats
from mu.data.logs.interactions import FINISHED, SKIPPED, UNKNOWN, Interactions
from mu.data.logs.splits import Split
from mu.evals.predictions import Predictions, TagPredictions, metric_names, result_of
from mu.evals.result import Result
from mu.protocols import IntentPredictor
from mu.ranges import Count

BLOCK = 1024
"""Plays whose histories are in memory at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOutPlays:
    """Held-out plays, what their listeners had played before, and what became of them. n plays.

    Attributes:
      log: of all listeners, with the held-out plays.
      users: int64 [n].
      places: int64 [n], of each play in the history of its listener, at least 1.
      labels: intent -> float32 [n], 1 or 0, NaN where it is not known.
    """

    log: Interactions
    users: np.ndarray
    places: np.ndarray
    labels: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """n."""
        return len(self.users)

    @classmethod
    def of(cls, before: Interactions, held_out: Interactions, most: int | None = None) -> Self:
        """The plays of `held_out`, or the first `most` of each listener; without first plays of a listener.

        Args:
          before: log of the same users.
          held_out: what they played then.
          most: None for all.
        """
        log, order = before.merged_with_order(held_out)
        plays = np.flatnonzero(order >= len(before))
        listeners = np.repeat(np.arange(log.n_users), log.lengths)[plays]
        places = plays - log.indptr[listeners]
        if most is not None:
            nth = np.arange(len(plays)) - np.searchsorted(listeners, listeners)
            plays, listeners, places = (one[nth < most] for one in (plays, listeners, places))
        known = places > 0
        plays, listeners, places = plays[known], listeners[known], places[known]
        labels = {
            "repeat": (earlier_plays(log.indptr, log.items)[plays] > 0).astype(np.float32),
            "recent_repeat": recent_repeats(log.indptr, log.items)[plays].astype(np.float32),
        }
        if log.outcomes is not None:
            outcomes = log.outcomes[plays]
            for name, code in (("completion", FINISHED), ("skip", SKIPPED)):
                labels[name] = np.where(outcomes == UNKNOWN, np.nan, outcomes == code).astype(np.float32)
        return cls(log, listeners, places, labels)

    def blocks(self) -> Iterator[tuple[np.ndarray, Interactions]]:
        """(users, what each had played before their play) of `BLOCK` plays at a time."""
        for start in range(0, len(self), BLOCK):
            users, places = self.users[start : start + BLOCK], self.places[start : start + BLOCK]
            whole = self.log.take(users)
            place = np.arange(len(whole)) - np.repeat(whole.indptr[:-1], whole.lengths)
            yield users, whole.where(place < np.repeat(places, whole.lengths))


class IntentPrediction:
    """Measures the probabilities that a recommender with intent heads gives before each held-out play.

    `config.evals.NAME = {'name': 'mu.evals.protocols.intent:IntentPrediction'}`. Others are left out of its table. A
    unit is a play, its cluster the listener. The listener's plays up to it are known, held-out ones too.

    Args:
      split: with the logs `train`, `valid`, `test`.
      part: 'valid' or 'test'.
      intents: names of those that the task predicts.
      plays_per_listener: at most so many of each listener, the first; None for all.
      metrics: names or paths of metrics of tags (`mu.evals.metrics.clips`): metric(probabilities, truth, weights).
      bootstrap_samples: of the intervals.

    Attributes:
      plays: that are measured.
      names: 'repeat/roc_auc' and so on.
      descriptive: the calibration errors, of which less is better.

    Raises:
      ValueError: the task predicts no intent, the log does not know one, a metric is unknown or there is no play.
    """

    measures_intent = True

    def __init__(
        self,
        *,
        split: Split,
        part: str,
        intents: Collection[str] | None = None,
        plays_per_listener: Count | None = 20,
        metrics: tuple[str, ...] = ("roc_auc", "log_likelihood", "expected_calibration_error"),
        bootstrap_samples: Count = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        if not intents:
            raise ValueError("the task predicts no intent: set task.intent, such as {'repeat': 0.1}")
        self.plays = held_out_plays(split, part, plays_per_listener)
        if unknown := [name for name in intents if name not in self.plays.labels]:
            raise ValueError(f"the log does not know how plays ended, which {unknown[0]!r} is about")
        if not len(self.plays):
            raise ValueError(f"no play of the {part} part has another of its listener before it")
        self._intents = tuple(intents)
        self._metrics: Mapping[type[Predictions], tuple[str, ...]] = {TagPredictions: metrics}
        self._same = {"split": split.hash, "part": part}
        self.names = metric_names(dict.fromkeys(self._intents, TagPredictions), self._metrics)
        self.descriptive = tuple(name for name in self.names if name.endswith("/expected_calibration_error"))
        self.bootstrap_samples = bootstrap_samples

    def run(self, recommender: IntentPredictor) -> Result:
        """Asks for the probabilities of every play's intents and measures them."""
        blocks = [recommender.intent(users, histories) for users, histories in self.plays.blocks()]
        targets = {
            name: TagPredictions(
                (name,),
                np.concatenate([block[name] for block in blocks])[:, None].astype(np.float32),
                self.plays.labels[name][:, None],
            )
            for name in self._intents
        }
        result = result_of(
            targets,
            unit="play",
            units=[str(play) for play in range(len(self.plays))],
            cluster="user",
            clusters=[str(user) for user in self.plays.users],
            metrics=self._metrics,
        )
        return dataclasses.replace(result, same=self._same, descriptive=self.descriptive)


def held_out_plays(split: Split, part: str, most: int | None = None) -> HeldOutPlays:
    """The plays of a part, 'valid' or 'test', after all that came before them."""
    before = split.train if part == "valid" else split.train.merged(split.valid)
    return HeldOutPlays.of(before, getattr(split, part), most)
