"""The page of one listener: numbers known by hand, values escaped, refused for other logs, written by the import."""

import dataclasses
import json
import re
import shutil

import numpy as np
import polars as pl
import pytest

from mu.checksums import HASHES
from mu.commands.import_log import main
from mu.data.logs.interactions import load
from mu.report.listener_history import ListenerHistory
from mu.report.taste import taste_page
from tests.helpers.chromium import browser, needs_browser

PLAYS = [  # end of play, track, artist, skipped: two sessions on a Monday, one on a Sunday a year later
    ("2020-03-02T10:00:00Z", "a", "Nova <i>", False),
    ("2020-03-02T10:05:00Z", "b", "Blå", True),
    ("2020-03-02T10:09:00Z", "a", "Nova <i>", False),
    ("2020-03-02T23:00:00Z", "c", "Nova <i>", None),
    ("2021-03-07T10:30:00Z", "a", "Nova <i>", True),
]


def export(plays):
    return [
        {
            "ts": time,
            "ms_played": 1000,
            "spotify_track_uri": track,
            "master_metadata_track_name": track.upper(),
            "master_metadata_album_artist_name": artist,
            "skipped": skipped,
        }
        for time, track, artist, skipped in plays
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taste")
    (folder / "endsong_0.json").write_text(json.dumps(export(PLAYS)))
    assert main([str(folder / "endsong_0.json"), f"--output={folder / 'me'}"]) == 0
    return folder / "me"


def test_numbers_of_a_known_history(folder):
    history = ListenerHistory(load(folder))
    assert history.by_year() == {2020: 4, 2021: 1}
    assert {hour: n for hour, n in enumerate(history.by_hour()) if n} == {10: 4, 23: 1}
    assert history.by_weekday() == [4, 0, 0, 0, 0, 0, 1]
    sessions = history.sessions()
    assert (sessions.count, sessions.median_plays, sessions.most_plays) == (3, 1.0, 3)
    assert history.new_tracks().tolist() == [True, True, False, True, False]
    new_artists = history.new_artists()
    assert new_artists is not None and new_artists.tolist() == [True, True, False, False, False]
    skips = history.skips()
    assert skips is not None and [part.tolist() for part in skips] == [
        [True, True, True, False, True],
        [False, True, False, False, True],
    ]
    assert history.artists is not None
    assert history.top(history.artists).rows()[0][:2] == ("Nova <i>", 4)
    assert history.hours() == pytest.approx(5 / 3600)
    assert history.of_name(history.artists, "Blå").tolist() == [False, True, False, False, False]


def test_the_page(folder):
    page = (folder / "taste.html").read_text(encoding="utf-8")
    assert page == taste_page(load(folder))
    assert "<h1>Your listening</h1>" in page and "Nova &lt;i&gt;" in page and "Nova <i>" not in page
    for words in ("2020: 4 plays", "Skips: 50%", "Repeats: 40%", "Discovery: 40.0%", "Sessions: 3,", "A, Nova"):
        assert words in page, words
    assert "http" not in page.replace("http-equiv", "") and "<script" not in page


def test_a_log_without_names_has_a_page_of_ids(folder):
    log = load(folder)
    bare = dataclasses.replace(log, folder=None, outcomes=None, card={"time_unit": "ms"})
    page = taste_page(bare)
    assert "Artists" not in page and "Skips" not in page and "Repeats: 40%" in page


def test_other_logs_have_no_page(folder, tmp_path):
    log = load(folder)
    two = log.take(np.array([0, 0]))
    with pytest.raises(ValueError, match="plays of one, with times; the log has 2 listeners"):
        taste_page(two)
    pl.DataFrame({"user": ["a", "a"], "track": ["x", "y"]}).write_csv(tmp_path / "log.csv")
    assert main([str(tmp_path / "log.csv"), f"--output={tmp_path / 'out'}"]) == 0
    assert not (tmp_path / "out" / "taste.html").exists()  # it has no times
    with pytest.raises(ValueError, match="without times"):
        taste_page(load(tmp_path / "out"))


def test_a_track_without_title_goes_by_its_id_and_one_without_artist_counts_no_artist(folder, tmp_path):
    def page(**columns):
        copy = shutil.copytree(folder, tmp_path / "-".join(columns), ignore=shutil.ignore_patterns("*.html", HASHES))
        file = copy / "tracks.parquet"
        pl.read_parquet(file).with_columns(**columns).write_parquet(file)
        return taste_page(load(copy))

    others = pl.col("title") != "A"
    text = page(title=pl.when(others).then("title"), artist=pl.when(others).then("artist"))
    (row,) = re.findall(r'<th scope="row">([^<]*)</th><td>3</td>', text)
    assert row in load(folder).tracks["track"].to_list()
    assert "2 artists" in text and "3 artists" not in text
    text = page(artist=pl.lit(None, pl.String))
    assert "rtists" not in text and "Discovery" not in text


@needs_browser
def test_numbers_stay_in_sight_beside_a_long_title_on_a_phone(folder, tmp_path):
    page = tmp_path / "taste.html"
    page.write_text(taste_page(load(folder)).replace("Nova &lt;i&gt;", "Unbroken" * 30), encoding="utf-8")
    with browser(tmp_path / "profile") as tab:
        tab.open(page, width=390)
        assert tab.tell("[...document.querySelectorAll('.scroll')].every(one => one.scrollWidth <= one.clientWidth)")
