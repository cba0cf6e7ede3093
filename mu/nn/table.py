"""What a model says of a table of rows (users, tracks) that the trainer keeps for it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Table:
    """One row of `dim` numbers for each id of an id space.

    Attributes:
      ids: the id space the rows belong to, 'users' or 'items'.
      dim: numbers a row.
      scale: standard deviation of the initial normal values; 0 starts at zero.
    """

    ids: str
    dim: int
    scale: float
