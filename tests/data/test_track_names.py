"""Which track is meant by an id or a title, and what is said where that is not clear."""

import polars as pl
import pytest

from mu.data.track_names import TrackNames, track_titles

TRACKS = pl.DataFrame(
    {
        "track": ["a1", "a2", "a3", "17", "x", "Caravan"],
        "title": ["Caravan", "Caravan", "Solitude", "Hello, Goodbye", "17", None],
        "artist": ["Duke Ellington", "Van Morrison", "Duke Ellington", "The Beatles", "Nobody", "Nobody"],
    }
)


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ("a2,a1", [1, 0]),
        ("Solitude", [2]),
        ("Caravan, Van Morrison", [1]),
        ("Duke Ellington - Caravan,Solitude", [0, 2]),
        ("Hello, Goodbye, a1", [3, 0]),
        ("Hello, Goodbye, The Beatles,a3", [3, 2]),
        ("17", [3]),  # an id before a title
        ("solitude , A1", None),  # an id is what it is
        ("SOLITUDE,a1", [2, 0]),
        ("caravan,van  morrison", [1]),
        ("the beatles - hello,goodbye", [3]),
    ],
)
def test_ids_titles_and_artists(names, rows):
    if rows is None:
        with pytest.raises(ValueError, match="the log has no track 'A1'; near it: a1"):
            TrackNames(TRACKS).find(names)
    else:
        assert TrackNames(TRACKS).find(names).tolist() == rows


def test_a_title_of_several_tracks_is_refused_with_all_of_them():
    tracks = TRACKS[:5]
    for name in ("Caravan", "caravan"):
        with pytest.raises(ValueError) as caught:
            TrackNames(tracks).find(f"a3,{name}")
        first, *listed = str(caught.value).splitlines()
        assert f"2 tracks of the log are called {name!r}; give the id of one" in first
        assert listed == ["  a1  Caravan, Duke Ellington", "  a2  Caravan, Van Morrison"]
    assert TrackNames(TRACKS).find("Caravan").tolist() == [5]  # an id
    many = pl.DataFrame({"track": [str(n) for n in range(30)], "title": ["Intro"] * 30})
    with pytest.raises(ValueError, match=r"(?s)30 tracks of the log .*\n  and 20 more$"):
        TrackNames(many).find("intro")


def test_a_log_without_titles_has_ids():
    tracks = pl.DataFrame({"track": [5, 6]})
    assert TrackNames(tracks).find("6,5").tolist() == [1, 0] and track_titles(tracks) == ["5", "6"]


def test_names_one_by_one_may_hold_commas_and_be_numbers():
    names = TrackNames(TRACKS)
    assert names.find(["Hello, Goodbye", "a1", 17]).tolist() == [3, 0, 3] and names.find([]).tolist() == []
    with pytest.raises(ValueError, match="the log has no track 'a1,a2'; near it: a"):
        names.find(["a1,a2"])
