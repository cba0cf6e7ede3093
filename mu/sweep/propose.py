"""The parameters of each trial of a sweep: a grid, or Optuna's samplers by ask and tell.

A trial's parameters are a function of the seed, its number and the trials that the sampler is told: for each trial a
sampler is made anew, with a seed of its own. So a sweep that was killed goes on with the trials it would have had.
"""

import importlib
import itertools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mu.config.base import ConfigError
from mu.sweep.space import Choices, Range, Space, grid
from mu.sweep.trial import Trial

Sampler = Literal["grid", "random", "tpe"]


def propose(space: Space, sampler: Sampler, seed: int, number: int, told: Sequence[Trial]) -> dict[str, str]:
    """The parameters of trial `number`, as `--config.KEY=` takes them.

    Args:
      space: to choose from.
      sampler: 'grid', every combination in order; 'random'; or 'tpe', the tree-structured Parzen estimator (Bergstra et
        al. 2011), whose first ten trials are random.
      seed: of the sweep.
      number: from 0.
      told: ended trials that 'tpe' learns from.

    Raises:
      ConfigError: a grid has no such number, or no end of values; or Optuna is not installed.
    """
    if sampler == "grid":
        params = next(itertools.islice(grid(space), number, None), None)
        if params is None:
            raise ConfigError(f"the grid has no trial {number}: it has fewer combinations")
        return params
    optuna = _optuna()
    own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    made = optuna.samplers.TPESampler if sampler == "tpe" else optuna.samplers.RandomSampler
    study = optuna.create_study(direction="maximize", sampler=made(seed=own_seed))
    distributions = {key: _distribution(optuna, one) for key, one in space.items()}
    for trial in told if sampler == "tpe" else ():
        study.add_trial(_frozen(optuna, trial, space, distributions))
    chosen = study.ask(distributions).params
    return {key: _text(one, chosen[key]) for key, one in space.items()}


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
    except ModuleNotFoundError:
        raise ConfigError(
            "--sampler=random and --sampler=tpe need Optuna: pip install 'mu-music[sweep]', or take --sampler=grid"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, one: Choices | Range) -> Any:
    if isinstance(one, Choices):
        return optuna.distributions.CategoricalDistribution(one.texts)
    if one.kind == "int":
        return optuna.distributions.IntDistribution(int(one.low), int(one.high))
    return optuna.distributions.FloatDistribution(one.low, one.high, log=one.kind == "log")


def _frozen(optuna: Any, trial: Trial, space: Space, distributions: dict[str, Any]) -> Any:
    """An ended trial as Optuna knows it: stopped ones by their last evaluation, failed ones without a value."""
    params = {
        key: trial.params[key] if isinstance(one, Choices) else _number(one, trial.params[key])
        for key, one in space.items()
    }
    states = {"complete": "COMPLETE", "stopped": "PRUNED", "failed": "FAIL"}
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[states[trial.state]],
        value=trial.value if trial.state == "complete" else None,
        intermediate_values=dict(trial.evaluations[-1:]),
        params=params,
        distributions=distributions,
    )


def _number(one: Range, text: str) -> float:
    return int(text) if one.kind == "int" else float(text)


def _text(one: Choices | Range, value: Any) -> str:
    return value if isinstance(one, Choices) else one.text(value)
