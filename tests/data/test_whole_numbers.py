"""Text becomes whole numbers only where it can be written again as it was."""

import polars as pl
import pytest

from mu.data.whole_numbers import integers_where_possible


@pytest.mark.parametrize(
    "texts", [["1", "01"], ["1e2"], ["1.0"], ["+1"], [" 1"], ["-0"], ["9223372036854775808"], [""]]
)
def test_text_that_would_be_lost_stays(texts):
    column = pl.Series("id", [*texts, None])
    assert integers_where_possible(column).equals(column)


def test_whole_numbers_are_written_again_as_they_were():
    column = pl.Series("id", ["10", None, "-9", "0", "9223372036854775807"])
    numbers = integers_where_possible(column)
    assert numbers.to_list() == [10, None, -9, 0, 2**63 - 1]
    assert numbers.cast(pl.String).equals(column)
