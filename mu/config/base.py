"""Every key of a run with its default, and the arguments that an experiment file takes.

An experiment file starts from `base()`, sets what it changes and returns it. A dict with a `name` is a spec: the
object that it names is called with the dict's other entries (`mu.config.resolve`).
"""

import ast
import os
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from ml_collections import ConfigDict, config_dict

from mu.names import as_boolean, nearest
from mu.ranges import AllOr, Between, Count, CountOrZero, Positive, Rate, Seed, Size, or_none

DENSE = "dense"
# What messages call the values of a type.
KINDS = {int: "a whole number", float: "a number", tuple: "a list such as a,b"}
# A ConfigDict whose keys are known when it is resolved; a type checker cannot see them.
Config = Any


class ConfigError(ValueError):
    """A config that cannot be run; the message names the key, its value and what would do."""


def base() -> Config:
    """Every key of a run, with its default; see `mu.train` for what each does."""
    return ConfigDict(
        {
            "title": None,
            "published": None,
            "seed": 0,
            "data": {"name": "mu.data.logs.interactions:load", "path": ""},
            "split": {"name": "mu.data.logs.splits:leave_one_out"},
            "batches": {"name": "mu.data.batches.histories:HistoryBatches"},
            "model": {"name": "mu.models.sasrec:SASRec"},
            "task": {"name": "mu.tasks.retrieval:Retrieval", "loss": "sampled_softmax"},
            "optimizer": {"name": "optax:adam", "learning_rate": 1e-3},
            "tables": {"name": "mu.training.tables:lazy_adam", "learning_rate": 1e-3},
            "total_steps": 1000,
            "gradient_accumulation_steps": 1,
            "clip_norm": None,
            "ema_decay": None,
            "mesh": {"data": -1, "model": 1},
            "sharding": {
                "embed": None,
                "heads": "model",
                "hidden": "model",
                "positions": None,
                "rows": None,
            },
            "log_every_steps": 50,
            "evaluate_every_steps": 200,
            "recommender": {"name": "mu.inference.recommender:TrainedRecommender"},
            "policy": None,
            "mixture": (),
            "evals": {"ranking": {"name": "mu.evals.protocols.ranking:Ranking"}},
            "refit": config_dict.FieldReference(False, field_type=object),  # or a word
            "init_from": None,
            "best": {"metric": "valid/ranking/ndcg@10", "patience": None},
            "checkpoint_every_steps": 200,
            "baselines": {
                "popularity": {"name": "mu.baselines.popularity:Popularity"},
                "markov": {"name": "mu.baselines.markov:MarkovChain"},
                "item_knn": {"name": "mu.baselines.item_knn:ItemKNN"},
                "sequential_rules": {"name": "mu.baselines.sequential_rules:SequentialRules"},
                "pctm": {"name": "mu.baselines.pctm:PCTM"},
                # The time of its fit grows with the cube of the tracks: a minute on two cores for so many.
                "ease": {"name": "mu.baselines.ease:EASE", "most_items": 20_000},
            },
            "writers": (),
            "profile": {"start": None, "steps": 5},
        }
    )


LATER = {"title": None, "published": None, "mixture": ()}
"""Keys that change nothing of what is learnt, and which configs of earlier versions lack: what they stand for there."""
# The range of each key that no object takes; the others have theirs in the signature of what the spec names.
KEYS: dict[str, Any] = {
    "title": or_none(str),
    "published": or_none(dict[str, dict[str, Annotated[float, Between(-1e9, 1e9)]]]),
    "seed": Seed,
    "total_steps": Count,
    "gradient_accumulation_steps": Count,
    "clip_norm": or_none(Positive),
    "ema_decay": or_none(Rate),
    "mesh.data": Annotated[int, AllOr(-1, Between(1, 65_536))],
    "mesh.model": Size,
    "sharding.embed": or_none(str),
    "sharding.heads": or_none(str),
    "sharding.hidden": or_none(str),
    "sharding.positions": or_none(str),
    "sharding.rows": or_none(str),
    "log_every_steps": Count,
    "evaluate_every_steps": Count,
    "refit": Literal[False, True, "chosen"],
    "init_from": or_none(str | os.PathLike[str]),
    "best.metric": str,
    "best.patience": or_none(Count),
    "policy": or_none(dict[str, Any]),
    "mixture": tuple[str, ...],
    "checkpoint_every_steps": Count,
    "writers": tuple[str, ...],
    "profile.start": or_none(CountOrZero),
    "profile.steps": Count,
}


def parse_arg(arg: str | None, **defaults: Any) -> Config:
    """The `arg` of `--config=file.py:arg`: 'smoke,dim=128' over defaults, whose types it must keep.

    Args:
      arg: comma-separated `key=value`, or a bare key for True; None or '' for the defaults.
      **defaults: every key there is; bool, int, float, str, or a tuple of the words to choose from, the first of which
        is the default.

    Raises:
      ConfigError: an unknown key or word (names the nearest) or a value of another type.
    """
    choices = {key: default for key, default in defaults.items() if isinstance(default, tuple)}
    args = defaults | {key: words[0] for key, words in choices.items()}
    parts = list(filter(None, (arg or "").split(",")))
    unknown = [key for key in (part.partition("=")[0] for part in parts) if key not in defaults]
    if unknown:
        faults = (f"the config takes no argument {key!r}{known_names(key, defaults)}" for key in unknown)
        raise ConfigError("\n".join(faults))
    for part in parts:
        key, equals, text = part.partition("=")
        if not equals and not isinstance(defaults[key], bool):
            raise ConfigError(f"config argument {key} needs a value: {key}=...")
        if key in choices and text not in choices[key]:
            raise ConfigError(f"config argument {key}={text!r} is not known{known_names(text, choices[key])}")
        args[key] = typed(text, args[key], f"config argument {key}") if equals else True
    return ConfigDict(args)


def known_names(name: str, known: Iterable[str]) -> str:
    """' (did you mean ...?); there is: ...', the end of a message about an unknown name."""
    names = sorted(known)
    return f"{nearest(name, names)}; there is: {', '.join(names) if names else 'nothing'}"


def typed(text: str, example: Any, where: str) -> Any:
    """`text` as a value of the type of `example` (None: any literal)."""
    if isinstance(example, str):
        return text
    if isinstance(example, bool):
        if (value := as_boolean(text)) is None:
            raise ConfigError(f"{where}={text!r}; it takes true or false, yes or no, on or off, 1 or 0")
        return value
    kind = KINDS.get(type(example), f"a {type(example).__name__}")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if example is None:
            return text
        if isinstance(example, tuple):  # words without quotes: recall,ndcg
            return tuple(text.split(","))
        raise ConfigError(f"{where}={text!r}; it takes {kind}") from None
    if example is None:
        return value
    if isinstance(example, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(example, tuple) and not isinstance(value, tuple):
        value = tuple(value) if isinstance(value, list) else (value,)
    if type(value) is not type(example):
        raise ConfigError(f"{where}={text!r}; it takes {kind}")
    return value
