"""Ranges of the arguments of optax's optimizers and schedules, by name: optax declares none."""

from collections.abc import Callable
from typing import Annotated, Any

from mu.ranges import AtLeast, Bounds, Count, CountOrZero, NonNegative, Positive, Rate, Share, or_none

_RATE = Positive | Callable[..., Any]
_DECAY = NonNegative | Callable[..., Any]

OPTAX: dict[str, Any] = {
    # Optimizers.
    "learning_rate": _RATE,
    "weight_decay": _DECAY,
    "weight_decay_rate": or_none(_DECAY),
    "b1": Rate,
    "b2": Rate,
    "b3": Rate,
    "decay": Rate,
    "momentum": or_none(Rate),
    "eps": NonNegative,
    "eps_root": NonNegative,
    "initial_scale": NonNegative,
    "initial_accumulator_value": NonNegative,
    "clipping_threshold": or_none(Positive),
    "min_dim_size_to_factor": Count,
    "decay_offset": CountOrZero,
    # Schedules.
    "value": NonNegative,
    "init_value": NonNegative,
    "peak_value": Positive,
    "end_value": or_none(NonNegative),
    "decay_steps": Count,
    "warmup_steps": CountOrZero,
    "transition_steps": Count,
    "transition_begin": CountOrZero,
    "decay_rate": Annotated[float, Bounds(0, 1_000, above=True)],
    "alpha": Share,
    "exponent": Positive,
    "power": Positive,
    "pct_start": Share,
    "pct_final": Share,
    "div_factor": Annotated[float, AtLeast(1)],
    "final_div_factor": Annotated[float, AtLeast(1)],
}
