"""Ids that two files write in different forms: `874` and `874.0`, `7` and `007`, upper and lower case, with spaces."""

from typing import NamedTuple

import polars as pl


class OtherForms(NamedTuple):
    """Ids that are in a table only in another form.

    Attributes:
      n: their number.
      example: one of them, as the log writes it.
      in_table: the same as the table writes it.
    """

    n: int
    example: str
    in_table: str

    def __str__(self) -> str:
        return (
            f"{self.n:,} of them are there in another form, such as {self.example!r} in the log and {self.in_table!r} "
            "in the table: write them alike"
        )


def find_other_forms(ids: pl.Series, table_ids: pl.Series) -> OtherForms | None:
    """The `ids` (those that are not in a table) that are in `table_ids` in another form; None if there are none."""
    of_table = table_ids.cast(pl.String).to_frame("in_table").with_columns(form=_form("in_table")).unique("form")
    frame = ids.cast(pl.String).to_frame("id").with_columns(form=_form("id"))
    both = frame.join(of_table, on="form", how="inner", maintain_order="left")
    return OtherForms(len(both), both["id"][0], both["in_table"][0]) if len(both) else None


def _form(name: str) -> pl.Expr:
    """Without spaces around it, in lower case, without `.0` and leading zeros."""
    text = pl.col(name).str.strip_chars().str.to_lowercase()
    return text.str.replace(r"^(\d+)\.0+$", "${1}").str.replace(r"^0+(\d)", "${1}")
