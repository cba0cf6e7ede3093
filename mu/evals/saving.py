"""Evaluations on disk: `evaluation.json` to read, `per_user.npz` to compare runs pair by pair."""

import dataclasses
import hashlib
import io
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mu.evals.ranking import RankingResult
from mu.files import write_json, write_whole

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `save_evaluation` wrote.

    Attributes:
      folder: where it lies.
      results: name of the recommender -> its result.
      split_hash: of the split that it was measured on.
      protocol: how it was measured, as the run described it.
    """

    folder: Path
    results: dict[str, RankingResult]
    split_hash: str
    protocol: dict[str, Any]


def save_evaluation(
    folder: str | os.PathLike[str],
    results: Mapping[str, RankingResult],
    split_hash: str,
    protocol: Mapping[str, Any],
    samples: int = 1000,
    seed: int = 0,
) -> None:
    """Writes `evaluation.json` (means, intervals, counts, protocol) and `per_user.npz` (every user's values).

    The JSON file comes last and names the sha256 of the other: a save that was cut off is noticed on loading.

    Args:
      folder: made if need be; an evaluation in it is replaced.
      results: name of the recommender ('model', 'popularity', ...) -> its result; all from one evaluator.
      split_hash: `Split.hash` of the split.
      protocol: how it was measured, for the reader; anything that JSON can say.
      samples, seed: of the bootstrap.

    Raises:
      ValueError: no results, or results of different evaluators.
    """
    if not results:
        raise ValueError("there are no results to save")
    first = next(iter(results.values()))
    for name, result in results.items():
        if result.task_hash != first.task_hash or not np.array_equal(result.users, first.users):
            raise ValueError(f"{name!r} comes from another evaluator than {next(iter(results))!r}; save them apart")
        if "/" in name:
            raise ValueError(f"the recommender {name!r} has a '/' in its name")
    arrays = {"users": first.users}
    for name, result in results.items():
        arrays |= {f"{name}/{metric}": values for metric, values in result.values.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    per_user = buffer.getvalue()
    about = {
        "format_version": FORMAT_VERSION,
        "split_hash": split_hash,
        "task_hash": first.task_hash,
        "protocol": dict(protocol),
        "n_users": len(first.users),
        "n_without_targets": first.n_without_targets,
        "n_targets": first.n_targets,
        "n_cold_targets": first.n_cold_targets,
        "interval": {
            "kind": "percentile bootstrap over users",
            "level": 0.95,
            "samples": samples,
            "seed": seed,
        },
        "rows": {
            name: {
                metric: {"mean": mean, "low": low, "high": high}
                for metric, mean, low, high in result.summary(samples, seed)
            }
            for name, result in results.items()
        },
        "per_user_sha256": hashlib.sha256(per_user).hexdigest(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "per_user.npz", per_user)
    write_json(folder / "evaluation.json", about)


def load_evaluation(folder: str | os.PathLike[str]) -> Evaluation:
    """Reads an evaluation from its folder, or from the work folder of a run that has `evaluation/`.

    Raises:
      FileNotFoundError: there is none.
      ValueError: the two files do not belong together, or are of another format.
    """
    given = Path(folder)
    places = [place for place in (given, given / "evaluation") if (place / "evaluation.json").is_file()]
    if not places:
        raise FileNotFoundError(
            f"no evaluation at {given}: neither it nor its folder 'evaluation' holds evaluation.json; "
            "`mu train` and `mu evaluate` write one"
        )
    place = places[0]
    about = json.loads((place / "evaluation.json").read_text())
    if about.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{place / 'evaluation.json'} has format_version {about.get('format_version')!r}; "
            f"this version of mu reads {FORMAT_VERSION}"
        )
    per_user = (place / "per_user.npz").read_bytes()
    if hashlib.sha256(per_user).hexdigest() != about["per_user_sha256"]:
        raise ValueError(
            f"{place / 'per_user.npz'} is not the file that evaluation.json describes "
            "(a save was cut off, or a file was changed); evaluate again"
        )
    counts = {name: about[name] for name in ("n_without_targets", "n_targets", "n_cold_targets", "task_hash")}
    with np.load(io.BytesIO(per_user)) as arrays:
        results = {
            name: RankingResult(
                users=arrays["users"], values={metric: arrays[f"{name}/{metric}"] for metric in row}, **counts
            )
            for name, row in about["rows"].items()
        }
    return Evaluation(place, results, about["split_hash"], about["protocol"])
