"""What a model said of clips, beside what is so: metrics with bootstrap intervals over recordings, and files."""

import dataclasses
import io
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mu.evals.clip_metrics import METRICS, PER_CLASS
from mu.evals.saving import write_whole
from mu.evals.table import align

# Weightings at once: each is a row of as many numbers as there are clips.
BLOCK = 50


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
        return {name: float(found[0]) for name, found in self.measured(None).items()}

    def summary(
        self, samples: int = 1000, seed: int = 0, level: float = 0.95
    ) -> Iterator[tuple[str, float, float, float]]:
        """(name, value, low, high) of each metric: percentile bootstrap over groups."""
        drawn = self.measured(list(self.draws(samples, seed)))
        for name, value in self.values().items():
            low, high = np.nanquantile(drawn[name], [(1 - level) / 2, (1 + level) / 2])
            yield name, value, float(low), float(high)

    def per_class(self, samples: int = 1000, seed: int = 0) -> list[tuple[str, str, str, int, float, float, float]]:
        """(head, class, metric, clips, value, low, high) of every class, tag and number."""
        rows = []
        draws = list(self.draws(samples, seed))
        for head, said in self.said.items():
            metric_name, metric = PER_CLASS[said.kind]
            known = said.known
            scores, truth = said.scores[known], said.truth[known]
            plain = metric(scores, truth, np.ones((1, known.sum())))[0]
            drawn = np.concatenate([metric(scores, truth, weights[:, known]) for weights in draws])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # a class that no drawn clip has: its interval is NaN
                low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
            for at, name in enumerate(said.names):
                count = (truth == at).sum() if said.kind == "class" else (truth[:, at] > 0).sum()
                rows.append((head, name, metric_name, int(count), float(plain[at]), float(low[at]), float(high[at])))
        return rows

    def draws(self, samples: int, seed: int) -> Iterator[np.ndarray]:
        """Weightings, float64 [up to BLOCK, n] each: how often each clip's group is drawn."""
        if samples < 1:
            raise ValueError(f"samples is {samples}; it must be at least 1")
        _, group = np.unique(np.array(self.groups), return_inverse=True)
        n_groups = int(group.max()) + 1
        random = np.random.default_rng(seed)
        for start in range(0, samples, BLOCK):
            block = min(BLOCK, samples - start)
            drawn = random.integers(n_groups, size=(block, n_groups))
            counts = np.stack([np.bincount(row, minlength=n_groups) for row in drawn])
            yield counts[:, group].astype(np.float64)

    def measured(self, draws: Sequence[np.ndarray] | None) -> dict[str, np.ndarray]:
        """Every metric under every weighting; None for the plain one alone."""
        found = {}
        for head, said in self.said.items():
            known = said.known
            if not known.any():
                raise ValueError(
                    f"of none of the {len(self.clips)} clips {head!r} is known; there is nothing to measure"
                )
            scores, truth = said.scores[known].astype(np.float64), said.truth[known]
            weights = [np.ones((1, len(truth)))] if draws is None else [block[:, known] for block in draws]
            for name, metric in METRICS[said.kind].items():
                found[f"{head}/{name}"] = np.concatenate([metric(scores, truth, block) for block in weights])
        return found


def metric_names(kinds: Mapping[str, str]) -> list[str]:
    """'genre/accuracy' and so on, for heads of these kinds."""
    return [f"{head}/{name}" for head, kind in kinds.items() for name in METRICS[kind]]


def pooled(results: Iterable[ClipResult]) -> ClipResult:
    """The results of several folds as one: every clip was judged by a model that had not heard it.

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
    draws = list(first.draws(samples, 0))
    values = [result.values() for result in results]
    drawn = [result.measured(draws) for result in results]
    for name in values[0]:
        low, high = np.nanquantile(np.mean([one[name] for one in drawn], axis=0), [0.025, 0.975])
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
        "per_class": [
            dict(zip(("head", "name", "metric", "clips", "value", "low", "high"), row, strict=True))
            for row in results["model"].per_class(samples, seed)
        ],
    }
    write_whole(folder / "clips.npz", buffer.getvalue())
    write_whole(folder / "evaluation.json", (json.dumps(document, indent=2) + "\n").encode())


def load(folder: str | os.PathLike[str]) -> tuple[dict[str, ClipResult], dict[str, Any]]:
    """(results, evaluation.json) of a folder that `save` wrote, or of a run that has `evaluation/`.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is an evaluation of another kind.
    """
    given = Path(folder)
    places = [place for place in (given, given / "evaluation") if (place / "evaluation.json").is_file()]
    if not places:
        raise FileNotFoundError(f"no evaluation at {given}: neither it nor its folder 'evaluation' has evaluation.json")
    about = json.loads((places[0] / "evaluation.json").read_text())
    if about.get("kind") != "clips":
        raise ValueError(f"{places[0]} holds no evaluation of clips")
    with np.load(places[0] / "clips.npz") as arrays:
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
