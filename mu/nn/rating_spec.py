"""The specification of a rating model, from the task to the model's constructor."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class RatingSpec:
    """Inputs and outputs of a model of ratings.

    Attributes:
      columns: attributes of listeners, name -> number of codes; code 0 is an unknown value.
      outputs: names of the labels that a rating has, each 0 or 1.
      class_head: head of the encoder whose classes have cell rates of their own; None for none.
    """

    columns: Mapping[str, int]
    outputs: tuple[str, ...]
    class_head: str | None = None
