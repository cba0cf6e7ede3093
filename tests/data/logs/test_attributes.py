"""Attributes of tracks as arrays: answers by hand, and laws for codes, labels, dates and feature hashing."""

import datetime
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.data.logs.attributes import categorical, hashed, multi_hot, multi_label, released_ms
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.world.tables import write
from mu.world.world import simulate
from mu_kernels import CSR, NegativeSampler
from tests.helpers.processes import run_python

DAY = 86_400_000
PINNED = ([785, -1, 36, 718, 785, 901], [541, -1, 730, 690, 541, 111], [2, 2])


def test_categories_by_hand():
    table = pl.DataFrame({"genre": ["rock", None, "folk", "rock"], "year": [2001, 1999, None, 100]})
    codes, names = categorical(table, "genre")
    assert codes.dtype == np.int32 and codes.tolist() == [1, -1, 0, 1] and names == ("folk", "rock")
    assert categorical(table, "year").names == ("100", "1999", "2001")  # numbers sort as numbers
    assert categorical(pl.DataFrame({"x": [None, None]}), "x").codes.tolist() == [-1, -1]
    with pytest.raises(ValueError, match=r"no column 'gerne' \(did you mean 'genre'\?\); there is: genre, year"):
        categorical(table, "gerne")


def test_labels_by_hand():
    table = pl.DataFrame({"tags": ["b| a |b", None, "", "a|c|"], "words": [["x"], [], None, ["y", "x"]]})
    indptr, codes, names = multi_label(table, "tags")
    assert (indptr.dtype, codes.dtype) == (np.int64, np.int32)
    assert indptr.tolist() == [0, 2, 2, 2, 4] and codes.tolist() == [0, 1, 0, 2] and names == ("a", "b", "c")
    assert multi_label(table, "words").codes.tolist() == [0, 0, 1]
    assert multi_label(table, "tags", sep=";").names == ("a|c|", "b| a |b")
    assert multi_label(pl.DataFrame({"x": [None]}), "x").names == ()
    with pytest.raises(ValueError, match=r"column 'day' holds Date; labels are text separated by '\|', or lists"):
        multi_label(pl.DataFrame({"day": [datetime.date(2024, 1, 1)]}), "day")


names_of = st.text(st.sampled_from("ab é"), max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.lists(names_of, max_size=4), min_size=1, max_size=8))
def test_codes_against_the_slow_twin(rows):
    """The twin: sets and lists of Python."""
    texts = [None if row is None else "|".join(row) for row in rows]
    sets = [set() if row is None else {name.strip() for name in row} - {""} for row in rows]
    indptr, codes, names = multi_label(pl.DataFrame({"x": pl.Series(texts, dtype=pl.String)}), "x")
    assert names == tuple(sorted(set().union(*sets)))
    labels = [[names[code] for code in codes[a:b]] for a, b in itertools.pairwise(indptr)]
    assert labels == [sorted(one) for one in sets]
    codes, names = categorical(pl.DataFrame({"x": pl.Series(texts, dtype=pl.String)}), "x")
    assert [None if code < 0 else names[code] for code in codes] == texts and list(names) == sorted(names)


def test_dates_of_release():
    texts = ["1970-01-02", "1970", "1970-02", None, " ", "1969-12-31", "1970-01-01T01:00:00+01:00", "0", "1971.0"]
    moments = released_ms(pl.DataFrame({"date": texts}), "date")
    assert moments.dtype == np.int64
    assert moments.tolist() == [DAY, 0, 31 * DAY, -1, -1, -DAY, 0, -1, 365 * DAY]
    assert released_ms(pl.DataFrame({"year": [1971, None, 0]}), "year").tolist() == [365 * DAY, -1, -1]
    assert released_ms(pl.DataFrame({"d": [datetime.date(1970, 1, 3), None]}), "d").tolist() == [2 * DAY, -1]
    assert released_ms(pl.DataFrame({"d": [datetime.datetime(1970, 1, 1, 1)]}), "d").tolist() == [DAY // 24]
    assert released_ms(pl.DataFrame({"d": [None]}), "d").tolist() == [-1]
    assert released_ms(pl.DataFrame({"d": [19700103, 19691231]}), "d").tolist() == [2 * DAY, -DAY]


@pytest.mark.parametrize("value", ["31.05.2024", "spring", "2024-13", "99", "946684800", "2024-02-30"])
def test_a_value_that_is_no_date_is_named(value):
    table = pl.DataFrame({"track": ["a", "b"], "released": ["1999", value]})
    with pytest.raises(ValueError, match=rf"column 'released', row 1 \(track 'b'\): '{value}' is no date.*1 of 2 rows"):
        released_ms(table, "released")


def test_hashes_are_pinned():
    """A change would silently take every trained embedding to another artist."""
    names = pl.Series(["Björk", None, "", "Nina Simone", "Björk", "Ali Farka Touré"])
    assert hashed(names, 1000).tolist() == PINNED[0] and hashed(names, 1000, seed=-7).tolist() == PINNED[1]
    assert hashed(names, 1000).dtype == np.int32 and hashed(pl.Series([7, 8]), 9).tolist() == PINNED[2]
    code = (
        "import polars as pl\nfrom mu.data.logs.attributes import hashed\n"
        "print(*hashed(pl.Series(['Nina Simone']), 1000))"
    )
    assert int(run_python(code)) == PINNED[0][3]
    for size in (0, 2**31):
        with pytest.raises(ValueError, match=rf"hash_size is {size}; it must lie in \[1, 2\*\*31\)"):
            hashed(names, size)


def test_hashes_are_uniform():
    """10,000 names hashed to 100 rows: chi-square with 99 degrees of freedom is below 148.2 with probability .999."""
    names = pl.Series([f"artist {n}" for n in range(10_000)])
    first, second = hashed(names, 100), hashed(names, 100, seed=1)
    for rows in (first, second):
        counts = np.bincount(rows, minlength=100)
        assert len(counts) == 100 and ((counts - 100) ** 2 / 100).sum() < 148.2
    # Another seed draws anew: names that share a row do so again once in a hundred (100 +- 5 standard errors).
    assert abs((first == second).mean() - 0.01) < 0.005


def test_an_imported_catalogue_as_arrays(tmp_path):
    """From the files of a world to what a model reads, for tracks that nobody has played yet too."""
    world = simulate("tiny", seed=1)
    write(world, tmp_path / "world")
    options = LogImportOptions(track_table=str(tmp_path / "world" / "tracks.csv"), catalogue="all")
    import_log([str(tmp_path / "world" / "plays.csv")], tmp_path / "log", options)
    log = load(tmp_path / "log")
    rows = np.array([int(name.removeprefix("track-")) for name in log.tracks["track"]])
    released = released_ms(log.tracks, "release_date")
    assert np.array_equal(released, world.catalogue.released_ms[rows] // DAY * DAY)
    assert (released[log.items] <= log.times).all()  # nothing is played before it is out
    genres, tags = categorical(log.tracks, "genre"), multi_label(log.tracks, "tags")
    assert set(genres.names) <= set(tags.names) and np.diff(tags.indptr).min() >= 1
    first = np.array(tags.names)[tags.codes][tags.indptr[:-1]]
    assert len(first) == log.n_items
    sampler = NegativeSampler(CSR([0, 0], [], log.n_items), log.n_items, available_from=released)
    draw = sampler.sample(np.zeros(50, np.int64), 20, times=np.full(50, int(np.median(released))))
    assert (released[draw.ids] <= np.median(released)).all()


def test_attributes_need_neither_the_importer_nor_numba():
    code = "import sys\nimport mu.data.logs.attributes\nprint(*sys.modules)"
    modules = run_python(code).split()
    assert "numba" not in modules and not [name for name in modules if "importing" in name]


def test_rows_without_labels_are_not_known():
    table = pl.DataFrame({"tags": ["calm|dark", "", "dark", None]})
    values, names = multi_hot(table, "tags")
    assert names == ("calm", "dark") and values.dtype == np.float32
    np.testing.assert_array_equal(values, [[1, 1], [np.nan] * 2, [0, 1], [np.nan] * 2])
    with pytest.raises(ValueError, match="column 'tags' holds no tags"):
        multi_hot(pl.DataFrame({"tags": ["", None]}), "tags")
