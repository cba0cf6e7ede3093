"""What a model said of clips, beside what is so: metrics with bootstrap intervals over recordings, and files."""

import dataclasses
import hashlib
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mu.evals.clip_metrics import METRICS, PER_CLASS
from mu.evals.table import align
from mu.files import write_json, write_whole

FORMAT_VERSION = 1
# Weightings at once: each is a row of as many numbers as there are clips.
BLOCK = 50


class Row(NamedTuple):
    """One metric of one class, tag or number, with its interval; `clips` are those that it is told of."""

    head: str
    name: str
    metric: str
    clips: int
    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False)
class Said:
    """One head's answers.

    Attributes:
      kind: 'class', 'tags' or 'numbers'.
      names: of the classes, tags or numbers.
      scores: float32 [n, C]: probabilities, or numbers in their own units.
      truth: int32 [n] or float32 [n, C]; -1 or NaN where it is not known, and nothing is measured.
    """

    kind: str
    names: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """bool [n]."""
        return np.asarray(self.truth >= 0 if self.kind == "class" else np.isfinite(self.truth).all(axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class ClipResult:
    """All that a model said of the clips of a part.

    Attributes:
      clips: their ids.
      groups: what is drawn again in the bootstrap: recordings, or the artists or speakers they are of.
      said: head -> answers.
    """

    clips: tuple[str, ...]
    groups: tuple[str, ...]
    said: dict[str, Said]

    def values(self) -> dict[str, float]:
        """'genre/accuracy' and so on."""
        return {name: float(found[0]) for name, found in self.measured([self._plain()]).items()}

    def summary(
        self, samples: int = 1000, seed: int = 0, level: float = 0.95
    ) -> Iterator[tuple[str, float, float, float]]:
        """(name, value, low, high) of each metric: percentile bootstrap over groups."""
        drawn = self.measured(self.draws(samples, seed))
        for name, value in self.values().items():
            low, high = interval(drawn[name], level)
            yield name, value, float(low), float(high)

    def per_class(self, head: str, samples: int = 1000, seed: int = 0) -> list[Row]:
        """Every metric of every class, tag or number of a head, those of one after those of another."""
        kind, names = self.said[head].kind, self.said[head].names
        known, scores, truth = self._known(head)
        drawn: dict[str, list[np.ndarray]] = {metric: [] for metric in PER_CLASS[kind]}
        for block in self.draws(samples, seed):
            for metric, measure in PER_CLASS[kind].items():
                drawn[metric].append(measure(scores, truth, block[:, known]))
        found = {
            metric: (measure(scores, truth, self._plain()[:, known])[0], *interval(np.concatenate(drawn[metric])))
            for metric, measure in PER_CLASS[kind].items()
        }
        return [
            Row(head, name, metric, _clips_of(kind, truth, at), *(float(column[at]) for column in columns))
            for at, name in enumerate(names)
            for metric, columns in found.items()
        ]

    def draws(self, samples: int, seed: int) -> Iterator[np.ndarray]:
        """Weightings, float64 [up to BLOCK, n] each: how often each clip's group is drawn."""
        return group_draws(self.groups, samples, seed)

    def measured(self, draws: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """Every metric under every weighting [n] of all blocks of them.

        Raises:
          ValueError: a head of which nothing is known.
        """
        parts: dict[str, list[np.ndarray]] = {}
        told = {head: self._known(head) for head in self.said}
        for block in draws:
            for head, (known, scores, truth) in told.items():
                for name, metric in METRICS[self.said[head].kind].items():
                    parts.setdefault(f"{head}/{name}", []).append(metric(scores, truth, block[:, known]))
        return {name: np.concatenate(found) for name, found in parts.items()}

    def _known(self, head: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(which clips are known, their scores, their truth)."""
        said = self.said[head]
        known = said.known
        if not known.any():
            raise ValueError(f"of none of the {len(self.clips)} clips {head!r} is known; there is nothing to measure")
        return known, said.scores[known].astype(np.float64), said.truth[known]

    def _plain(self) -> np.ndarray:
        """The weighting under which every clip counts once."""
        return np.ones((1, len(self.clips)))


def group_draws(groups: Sequence[str], samples: int, seed: int) -> Iterator[np.ndarray]:
    """Weightings of the bootstrap over groups, float64 [up to BLOCK, n] each: how often each clip's group is drawn."""
    if samples < 1:
        raise ValueError(f"samples is {samples}; it must be at least 1")
    _, group = np.unique(np.array(groups), return_inverse=True)
    n_groups = int(group.max()) + 1
    random = np.random.default_rng(seed)
    for start in range(0, samples, BLOCK):
        block = min(BLOCK, samples - start)
        drawn = random.integers(n_groups, size=(block, n_groups))
        counts = np.stack([np.bincount(row, minlength=n_groups) for row in drawn])
        yield counts[:, group].astype(np.float64)


def interval(drawn: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of [samples, ...]: percentiles over the samples in which it is defined, NaN where in none."""
    bounds = np.full((2, *drawn.shape[1:]), np.nan)
    defined = np.isfinite(drawn).any(axis=0)
    # np.nanquantile warns of what is NaN alone.
    bounds[:, defined] = np.nanquantile(drawn[:, defined], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return bounds[0], bounds[1]


def _clips_of(kind: str, truth: np.ndarray, at: int) -> int:
    """The clips of a class, those with a tag, or those of which a number is known."""
    if kind == "numbers":
        return len(truth)
    return int(np.sum(truth == at if kind == "class" else truth[:, at] > 0))


def metric_names(kinds: Mapping[str, str]) -> list[str]:
    """'genre/accuracy' and so on, for heads of these kinds."""
    return [f"{head}/{name}" for head, kind in kinds.items() for name in METRICS[kind]]


def pooled(results: Iterable[ClipResult]) -> ClipResult:
    """The results of several folds as one: every clip was judged by a model that had not heard it.

    Metrics that put all clips in one order (ROC-AUC, average precision, correlation) then compare scores of models
    that are calibrated differently, and may be lower than the mean of the folds' own.

    Raises:
      ValueError: a clip is in two of them, or their heads differ.
    """
    parts = list(results)
    clips = [clip for part in parts for clip in part.clips]
    if len(set(clips)) != len(clips):
        twice = next(clip for clip in clips if clips.count(clip) > 1)
        raise ValueError(f"clip {twice!r} was tested in two folds")
    said = {}
    for head, first in parts[0].said.items():
        for part in parts:
            if head not in part.said or part.said[head].names != first.names:
                raise ValueError(f"the folds do not tell the same of {head!r}")
        said[head] = dataclasses.replace(
            first,
            scores=np.concatenate([part.said[head].scores for part in parts]),
            truth=np.concatenate([part.said[head].truth for part in parts]),
        )
    return ClipResult(tuple(clips), tuple(group for part in parts for group in part.groups), said)


def mean_summary(results: Sequence[ClipResult], samples: int = 1000) -> Iterator[tuple[str, float, float, float]]:
    """(name, mean over results, low, high): several models' answers on the same clips, which are drawn again for all
    alike.

    Args:
      results: of models that differ by their seed.
      samples: of the bootstrap.

    Raises:
      ValueError: the clips are not the same.
    """
    first = results[0]
    for other in results:
        if other.clips != first.clips:
            raise ValueError("the results are not of the same clips in the same order")
    values = [result.values() for result in results]
    drawn = [result.measured(first.draws(samples, 0)) for result in results]
    for name in values[0]:
        low, high = interval(np.mean([one[name] for one in drawn], axis=0))
        yield name, float(np.mean([one[name] for one in values])), float(low), float(high)


def save(
    folder: str | os.PathLike[str],
    results: Mapping[str, ClipResult],
    about: Mapping[str, Any],
    *,
    samples: int,
    seed: int,
) -> None:
    """Writes `evaluation.json` (values, intervals, per class, protocol) and `clips.npz` (every clip's scores).

    The JSON file comes last and names the sha256 of the other: a save that was cut off is noticed on loading. What is
    not defined, such as the recall of a class without clips, is null in it.

    Args:
      folder: made if need be; an evaluation in it is replaced.
      results: 'model' and baselines.
      about: the protocol and the split, for the reader; what JSON can say.
      samples, seed: of the bootstrap.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    first = next(iter(results.values()))
    arrays["clips"], arrays["groups"] = np.array(first.clips), np.array(first.groups)
    for name, result in results.items():
        for head, said in result.said.items():
            arrays[f"{name}/{head}/scores"], arrays[f"truth/{head}"] = said.scores, said.truth
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    document = {
        "kind": "clips",
        "format_version": FORMAT_VERSION,
        **about,
        "n_clips": len(first.clips),
        "n_groups": len(set(first.groups)),
        "heads": {head: {"kind": said.kind, "names": said.names} for head, said in first.said.items()},
        "interval": {"kind": "percentile bootstrap over groups", "level": 0.95, "samples": samples, "seed": seed},
        "rows": {
            name: {
                metric: {"value": value, "low": low, "high": high}
                for metric, value, low, high in result.summary(samples, seed)
            }
            for name, result in results.items()
        },
        "per_class": [row._asdict() for head in first.said for row in results["model"].per_class(head, samples, seed)],
        "clips_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
    }
    write_whole(folder / "clips.npz", buffer.getvalue())
    write_json(folder / "evaluation.json", document)


def load(folder: str | os.PathLike[str]) -> tuple[dict[str, ClipResult], dict[str, Any]]:
    """(results, evaluation.json) of a folder that `save` wrote, or of a run that has `evaluation/`.

    Values and intervals that are null in the file are NaN.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is an evaluation of another kind or format, or its two files do not belong together.
    """
    given = Path(folder)
    places = [place for place in (given, given / "evaluation") if (place / "evaluation.json").is_file()]
    if not places:
        raise FileNotFoundError(f"no evaluation at {given}: neither it nor its folder 'evaluation' has evaluation.json")
    place = places[0]
    about = json.loads((place / "evaluation.json").read_text())
    if about.get("kind") != "clips":
        raise ValueError(f"{place} holds no evaluation of clips")
    if about.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{place / 'evaluation.json'} has format_version {about.get('format_version')!r}; this version of mu reads "
            f"{FORMAT_VERSION}: evaluate again"
        )
    content = (place / "clips.npz").read_bytes()
    if hashlib.sha256(content).hexdigest() != about["clips_sha256"]:
        raise ValueError(
            f"{place / 'clips.npz'} is not the file that evaluation.json describes "
            "(a save was cut off, or a file was changed); evaluate again"
        )
    for row in [*(row for rows in about["rows"].values() for row in rows.values()), *about["per_class"]]:
        row |= {name: math.nan for name in ("value", "low", "high") if row[name] is None}
    with np.load(io.BytesIO(content)) as arrays:
        clips, groups = tuple(arrays["clips"].tolist()), tuple(arrays["groups"].tolist())
        results = {
            name: ClipResult(
                clips,
                groups,
                {
                    head: Said(
                        what["kind"], tuple(what["names"]), arrays[f"{name}/{head}/scores"], arrays[f"truth/{head}"]
                    )
                    for head, what in about["heads"].items()
                },
            )
            for name in about["rows"]
        }
    return results, about


def format_scores(results: Mapping[str, ClipResult], samples: int = 1000, seed: int = 0) -> str:
    """A table: one line a model, one column a metric, with 95 % intervals; then how many clips and groups."""
    first = next(iter(results.values()))
    rows = [["", *first.values()]]
    for name, result in results.items():
        rows.append(
            [name, *(f"{value:.3f} [{low:.3f}, {high:.3f}]" for _, value, low, high in result.summary(samples, seed))]
        )
    if len(align(rows).partition("\n")[0]) > 120:
        rows = [list(column) for column in zip(*rows, strict=True)]
    groups = len(set(first.groups))
    over = f"{groups:,} groups" if groups != len(first.clips) else "clips"
    return f"{align(rows)}\n{len(first.clips):,} clips; brackets: 95 % bootstrap interval over {over}."
