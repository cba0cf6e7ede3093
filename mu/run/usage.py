"""What a run makes of its data: the weights that it takes, the examples that it leaves out, parts that are empty."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mu.config.base import Config, ConfigError, known_names
from mu.data.batches.clips import ClipBatches
from mu.data.logs.weighting import weighting
from mu.protocols import Batches, Data, Split, Task

WEIGHT_KEYS = ("weights", "gains")


def refuse_empty_parts(config: Config, split: Split) -> None:
    """Raises ConfigError where a part that the run needs holds nothing.

    A refit learns the validation part too and needs none; a run without evaluations needs no test part.
    """
    sizes = {"train": len(split.train), "valid": len(split.valid), "test": len(split.test)}
    needed = ["train", *([] if config.refit else ["valid"]), *(["test"] if config.evals else [])]
    empty = [part for part in needed if not sizes[part]]
    if empty:
        counts = ", ".join(f"{part} {size:,}" for part, size in sizes.items())
        more = " A refit needs no validation part: --config.refit=true with steps that are known." * ("valid" in empty)
        raise ConfigError(
            f"config.split ({split.name}) leaves {' and '.join(empty)} empty ({counts}): choose another split, other "
            f"shares or dates, or import the log with this part (--valid, --test).{more}"
        )


def weight_uses(config: Config) -> dict[str, str]:
    """Key of the config -> function of the weights, of every option that takes them.

    Raises:
      ConfigError: there is no such function.
    """
    uses = {}
    for where in ("batches", "baselines", "evals"):
        for key, name in _weight_options(config[where].to_dict(), f"config.{where}"):
            try:
                used = weighting(name) is not None
            except ValueError as error:
                raise ConfigError(f"{key}: {error}") from None
            if used:
                uses[key] = name
    return uses


def unused_weights(config: Config, data: Data) -> str | None:
    """A sentence where the log was imported with weights, and the run could take them but does not; else None."""
    column = (data.card.get("columns") or {}).get("weight")
    if column is None or "weights" not in config.batches or weight_uses(config):
        return None
    return (
        f"The log's weights (column {column!r}) are not used: every play counts alike. Set batches.weights='log' or "
        "another function, and that of the baselines, to use them (docs/weights.md)."
    )


def unmeasured_published(config: Config, measured: Iterable[str]) -> str | None:
    """A sentence where config.published has a metric that no evaluation measures, and no page shows; else None.

    Args:
      config: of the run.
      measured: 'EVALUATION/METRIC' of the metrics that are.
    """
    known = [name.partition("/")[2] for name in measured]
    short = {name.rpartition("/")[2] for name in known}
    rows = config.published.to_dict().items() if config.published else ()
    lost = [(label, metric) for label, row in rows for metric in row if metric not in {*known, *short}]
    if not lost:
        return None
    named = ", ".join(f"{metric!r} of {label!r}" for label, metric in lost)
    return f"config.published: nothing measures {named}{known_names(lost[0][1], short)}; no page shows it."


def left_out_of_training(batches: Batches, task: Task[Any]) -> dict[str, int]:
    """Reason -> what no example is of; of clips those that teach nothing of a target: it is not known of them."""
    left = dict(batches.left_out)
    if isinstance(batches, ClipBatches):
        for name in task.offers.get("outputs", {}):
            if name in batches.clips.targets:
                left[f"clips of unknown {name}"] = int((~batches.clips.targets[name].known).sum())
        if "zero_shot" in task.offers and batches.clips.texts is not None:
            left["clips without words"] = int((batches.clips.texts < 0).all(axis=1).sum())
    return left


def left_out_sentence(reasons: Mapping[str, int]) -> str | None:
    """'Left out of training: listeners with one play 12.', or None where nothing is."""
    said = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items() if n)
    return f"Left out of training: {said}." if said else None


def _weight_options(spec: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for key, value in spec.items():
        if isinstance(value, Mapping):
            yield from _weight_options(value, f"{where}.{key}")
        elif key in WEIGHT_KEYS and isinstance(value, str):
            yield f"{where}.{key}", value
