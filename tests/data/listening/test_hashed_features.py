"""What is known of tracks and listeners as words in buckets."""

import numpy as np
import polars as pl
import pytest

from mu.data.features import known_features
from mu.data.listening.hashed_features import hashed_features, values_of
from tests.helpers.listening_logs import DAY_MS, make_listening

TABLE = pl.DataFrame(
    {
        "artist": ["Nova", "Rigel", None, "Nova"],
        "tags": ["calm|dark", "", "dark", None],
        "lists": [["calm"], [], None, ["dark", "calm"]],
        "year": [1999, None, 2001, 1999],
    }
)


def held(row):
    return set(row[row >= 0].tolist())


def test_words_are_those_of_the_row_and_their_column():
    found = hashed_features(TABLE, ["artist", "tags"], hash_size=1 << 20)
    assert found.shape == (4, 1 + 2) and found.dtype == np.int32
    assert [len(held(row)) for row in found] == [3, 1, 1, 1]
    assert held(found[3]) < held(found[0]) and held(found[2]) < held(found[0])
    assert held(found[0]).isdisjoint(held(found[1]))
    # The same word in another column is another word.
    assert held(hashed_features(TABLE, ["lists"], 1 << 20)[0]).isdisjoint(held(found[0]))


def test_a_bucket_is_a_function_of_the_word_alone():
    new = pl.DataFrame({"artist": ["Vega", "Nova"]})
    before, after = (hashed_features(table, ["artist"], 64) for table in (TABLE, new))
    assert after[1, 0] == before[0, 0] and 0 <= after[0, 0] < 64
    numbers = pl.DataFrame({"year": ["1999", "2001"]})
    np.testing.assert_array_equal(
        hashed_features(numbers, ["year"], 64)[:, 0], hashed_features(TABLE, ["year"], 64)[[0, 2], 0]
    )


def test_whole_numbers_are_the_same_words_beside_gaps():
    years = ["2001", None, "2001.5", None]
    floats = pl.DataFrame({"year": [2001.0, None, 2001.5, float("nan")]})
    found = hashed_features(floats, ["year"], 1 << 20)
    np.testing.assert_array_equal(found, hashed_features(pl.DataFrame({"year": years}), ["year"], 1 << 20))
    assert found[0, 0] == hashed_features(pl.DataFrame({"year": [2001]}), ["year"], 1 << 20)[0, 0] >= 0
    assert values_of(floats, "year") == ("2001", "2001.5") and values_of(TABLE, "tags") == ("calm", "dark")


def test_nothing_known_is_no_word():
    np.testing.assert_array_equal(hashed_features(TABLE, [], 64), np.full((4, 1), -1))
    empty = pl.DataFrame({"artist": [None, None]}, schema={"artist": pl.String})
    np.testing.assert_array_equal(hashed_features(empty, ["artist"], 64), np.full((2, 1), -1))


def test_features_that_no_trained_row_has_are_left_out():
    features = np.array([[1, 2, -1], [3, 2, 4]], np.int32)
    known = known_features(features, np.array([[2, -1], [4, 9]]))
    assert known.dtype == np.int32
    np.testing.assert_array_equal(known, [[-1, 2, -1], [-1, 2, 4]])


def test_a_log_leaves_out_what_its_training_never_saw():
    """Tracks 16 to 19 have an artist of their own: neither is any of them played, nor out before the log ends."""
    log = make_listening()
    np.testing.assert_array_equal(log.track_rows()["item_features"], log.item_features)
    log.released_ms[16:] = log.end_ms + DAY_MS
    rows = log.track_rows()["item_features"]
    np.testing.assert_array_equal(rows[:16], log.item_features[:16])
    np.testing.assert_array_equal(rows[16:], [[-1, 50]] * 4)
    log.released_ms[19] = log.end_ms  # out: a negative of the last play
    np.testing.assert_array_equal(log.track_rows()["item_features"], log.item_features)
    log.released_ms[19] = log.end_ms + DAY_MS
    log.items[0] = 19  # played all the same
    np.testing.assert_array_equal(log.track_rows()["item_features"], log.item_features)


def test_the_same_of_listeners():
    log = make_listening()
    np.testing.assert_array_equal(log.known_user_features(), log.user_features)
    log.user_features[:] = [[1, 2]] * 11 + [[1, 3]]
    first = log.where(np.repeat(np.arange(12), log.lengths) < 11)
    np.testing.assert_array_equal(first.known_user_features(), [[1, 2]] * 11 + [[1, -1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hashed_features(TABLE, ["artists"], 64), "no column 'artists'.*artist"),
        (lambda: hashed_features(TABLE, ["artist"], 0), "hash_size is 0"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
