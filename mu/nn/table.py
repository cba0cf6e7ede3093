"""What a model says of a table of rows (users, tracks) that the trainer keeps for it."""

import dataclasses

from flax import nnx


@dataclasses.dataclass(frozen=True)
class Table:
    """One row of `dim` numbers for each id of an id space.

    Attributes:
      ids: the id space the rows belong to, 'users' or 'items'.
      dim: numbers a row.
      scale: standard deviation of the initial normal values; 0 starts at zero.
      learnt: False for rows that no gradient moves: the model computes them, as `Kept`, and the trainer keeps them.
    """

    ids: str
    dim: int
    scale: float
    learnt: bool = True


class Kept(nnx.Variable):
    """Rows of a table that a model has computed anew in this step, under the table's name.

    A model sets the attribute `kept` to `nnx.Dict(NAME=Kept(rows))` when it is called, rows as it was given them with
    some replaced; the trainer puts them in the place of the batch's rows.
    """
