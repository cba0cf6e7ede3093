"""Tables of rows (users, tracks, ...) that the trainer keeps for a model, and rows that the model computes itself."""

import dataclasses

from flax import nnx


@dataclasses.dataclass(frozen=True)
class Table:
    """One row of `dim` numbers for each id of an id space.

    Attributes:
      ids: the id space that the rows belong to, a name in the data's `sizes` ('users', 'items', ...).
      dim: numbers a row.
      scale: standard deviation of the initial normal values; 0 starts at zero.
      learnt: False for rows that no gradient moves: the model computes them, as a `Buffer`, and the trainer keeps them.
    """

    ids: str
    dim: int
    scale: float
    learnt: bool = True


class Buffer(nnx.Variable):
    """Rows of a table that a model has computed anew in this step, under the table's name.

    A model sets the attribute `buffers` to `nnx.Dict(NAME=Buffer(rows))` when it is called, with the rows that it was
    given, some of them replaced. The trainer puts them in the place of the batch's rows.
    """
