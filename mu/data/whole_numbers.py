"""Text that holds whole numbers, as numbers: only where nothing of what was written is lost."""

import polars as pl


def plain_integers(texts: pl.Series) -> pl.Series | None:
    """`texts` as Int64 if all are whole numbers in canonical form ("7", not "007"); else None."""
    if texts.dtype.is_integer():
        return texts.cast(pl.Int64)
    numbers = texts.cast(pl.Int64, strict=False)
    if numbers.null_count() or not (numbers.cast(pl.String) == texts).all():
        return None
    return numbers


def integers_where_possible(column: pl.Series) -> pl.Series:
    """Text as Int64 if every value is a whole number in canonical form; missing values stay null."""
    present = column.drop_nulls()
    if column.dtype == pl.String and len(present) and plain_integers(present) is not None:
        return column.cast(pl.Int64)
    return column
