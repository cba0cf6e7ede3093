"""The simulated world: equal seeds make equal worlds, and what the truth says is what the plays do."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from scipy import stats

from mu.commands.world import main
from mu.files import read_json, write_json
from mu.world.oracle import Oracle
from mu.world.settings import DAY_MS, SESSION_GAP_MS, SIZES, START_MS, WEEK_MS, Settings
from mu.world.tables import write
from mu.world.world import World, load, simulate
from mu_kernels import CSR, rank_scores
from tests.helpers.world_plays import assert_calibrated, before_each_play, opens_session, rows_of

TINY = SIZES["tiny"]


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("tiny", seed=3)


# Determinism


def test_the_seed_alone_makes_the_world(world: World) -> None:
    again = simulate("tiny", seed=3, threads=1)
    threads = simulate("tiny", seed=3, threads=3)
    for part in ("plays", "exposures", "charts"):
        for field in dataclasses.fields(getattr(world, part)):
            expected = getattr(getattr(world, part), field.name).tobytes()
            assert getattr(getattr(again, part), field.name).tobytes() == expected
            assert getattr(getattr(threads, part), field.name).tobytes() == expected
    assert simulate("tiny", seed=4).log().hash() != world.log().hash()
    assert again.catalogue.titles == world.catalogue.titles


def test_sampling_does_not_depend_on_threads(world: World) -> None:
    listeners = np.arange(500) % 100
    times = START_MS + np.arange(500) * DAY_MS // 2
    one = world.sample(listeners, times, seed=5, threads=1)
    assert np.array_equal(one, world.sample(listeners, times, seed=5, threads=3))
    assert not np.array_equal(one, world.sample(listeners, times, seed=6, threads=1))


def test_load_makes_the_written_world_again(world: World, tmp_path) -> None:
    write(world, tmp_path / "world")
    assert load(tmp_path / "world").log().hash() == world.log().hash()
    card = tmp_path / "world" / "world.json"
    write_json(card, read_json(card) | {"seed": 4})
    with pytest.raises(ValueError, match="simulate the world again"):
        load(tmp_path / "world")
    with pytest.raises(FileNotFoundError, match=r"world\.json"):
        load(tmp_path)


# The plays


def test_counts_order_and_sessions(world: World) -> None:
    plays = world.plays
    lengths = np.diff(plays.indptr)
    assert len(plays) == TINY.plays
    assert lengths.min() >= TINY.min_plays
    assert np.array_equal(lengths, world.listeners.n_plays)
    same = np.diff(rows_of(world)) == 0
    gaps = np.diff(plays.times_ms)[same]
    assert gaps.min() > 0
    share_in_session = (gaps < SESSION_GAP_MS).mean()
    assert share_in_session == pytest.approx(1 - 1 / TINY.session_plays, abs=0.02)
    assert plays.times_ms.min() >= START_MS
    assert plays.times_ms.max() < TINY.end_ms
    played = plays.played_ms / world.catalogue.duration_ms[plays.tracks]
    assert np.all((played == 1) == plays.finished)
    assert played.min() > 0
    hours = (plays.times_ms // 3_600_000) % 24
    assert np.isin(hours, (19, 20, 21)).sum() > 3 * np.isin(hours, (3, 4, 5)).sum()


def test_nothing_is_played_before_it_is_out(world: World) -> None:
    released = world.catalogue.released_ms[world.plays.tracks]
    assert np.all(world.plays.times_ms >= released)
    assert np.any(released > START_MS), "some plays are of tracks that came out during the simulation"


def test_album_runs_and_repeats(world: World) -> None:
    plays, successor = world.plays, world.catalogue.successor
    follows = successor[plays.tracks[:-1]] == plays.tracks[1:]
    album = plays.origins[1:] == 0
    assert album.sum() > 100
    assert np.all(follows[album])
    for at in np.flatnonzero(plays.origins == 2)[:200]:
        begin = plays.indptr[np.searchsorted(plays.indptr, at, side="right") - 1]
        assert plays.tracks[at] in plays.tracks[max(begin, at - TINY.repeat_span) : at - 1]


def test_popularity_is_zipf(world: World) -> None:
    rank = np.arange(1, TINY.tracks + 1)
    expected = (rank + TINY.zipf_shift * TINY.tracks) ** -TINY.zipf_exponent
    np.testing.assert_allclose(np.sort(world.catalogue.popularity)[::-1], expected)
    counts = np.sort(world.log().counts())[::-1]
    middle = slice(3, 100)
    slope = np.polyfit(np.log(rank[middle] + 3), np.log(counts[middle]), 1)[0]
    assert -1.3 < slope < -0.5


# The truth


def test_preference_is_a_distribution_over_released_tracks(world: World) -> None:
    listeners = np.arange(100)
    times = START_MS + listeners * (TINY.weeks * WEEK_MS // 100)
    preference = world.preference(listeners, times)
    assert preference.dtype == np.float32
    np.testing.assert_allclose(preference.sum(1), 1, atol=1e-5)
    out = world.catalogue.released_ms[None, :] <= times[:, None]
    assert np.all((preference > 0) == out)


def test_without_taste_and_novelty_preference_is_popularity() -> None:
    settings = dataclasses.replace(
        TINY, taste_scale=0.0, drift=0.0, context=0.0, novelty=0.0, feedback=0.0, released_before=1.0
    )
    plain = simulate(settings, seed=1)
    expected = plain.catalogue.popularity / plain.catalogue.popularity.sum()
    preference = plain.preference(np.array([0, 50]), np.array([START_MS, settings.end_ms]))
    np.testing.assert_allclose(preference, np.stack([expected, expected]), rtol=1e-5)


@pytest.mark.parametrize(("listener", "week", "context"), [(0, 0, None), (17, 30, 2), (99, 51, None)])
def test_samples_follow_the_preference(world: World, listener: int, week: int, context: int | None) -> None:
    n = 100_000
    listeners, times = np.full(n, listener), np.full(n, START_MS + week * WEEK_MS + 3 * DAY_MS + 7 * 3_600_000)
    contexts = None if context is None else np.full(n, context)
    counts = np.bincount(world.sample(listeners, times, seed=9, contexts=contexts), minlength=TINY.tracks)
    one = None if contexts is None else contexts[:1]
    expected = n * world.preference(listeners[:1], times[:1], one)[0].astype(np.float64)
    assert np.all(counts[expected == 0] == 0)
    often = expected >= 10
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("with_contexts", [False, True])
def test_next_play_probability_is_the_law_of_the_plays(world: World, with_contexts: bool) -> None:
    rows, histories = before_each_play(world)
    contexts = world.plays.contexts if with_contexts else None
    everything = world.next_play_probability(rows, world.plays.times_ms, histories, contexts=contexts)
    np.testing.assert_allclose(everything.sum(1), 1, atol=1e-5)
    for some in (opens_session(world), ~opens_session(world)):
        probability, tracks = everything[some].astype(np.float64), world.plays.tracks[some]
        chosen = probability[np.arange(len(tracks)), tracks]
        assert chosen.min() > 0
        # The log-probabilities of what was played have the mean and the variance that the law itself predicts.
        logs = np.log(np.maximum(probability, 1e-300))
        mean = (probability * logs).sum(1)
        variance = (probability * logs**2).sum(1) - mean**2
        assert abs((np.log(chosen) - mean).sum() / np.sqrt(variance.sum())) < 4
        assert_calibrated(np.arange(TINY.tracks) == tracks[:, None], probability)
        # And no track is played more or less often than it should be.
        counts = np.bincount(tracks, minlength=TINY.tracks)
        z = (counts - probability.sum(0)) / np.sqrt(np.maximum((probability * (1 - probability)).sum(0), 1e-9))
        assert stats.chi2.sf((z**2).sum(), TINY.tracks) > 1e-3


def test_an_uncertain_session_is_the_mixture_of_both(world: World) -> None:
    rows, histories = before_each_play(world)
    some = np.arange(10, 5_000, 97)
    listeners, times, past = rows[some], world.plays.times_ms[some], histories.take(some)
    inside, outside, half = (
        world.next_play_probability(listeners, times, past, np.full(len(some), share)) for share in (1.0, 0.0, 0.5)
    )
    np.testing.assert_allclose(half, (inside + outside) / 2, atol=1e-6)


def test_finished_plays_follow_their_probability(world: World) -> None:
    plays = world.plays
    assert_calibrated(
        plays.finished, world.finish_probability(rows_of(world), plays.times_ms, plays.tracks, plays.contexts)
    )


def test_an_old_taste_predicts_worse_than_the_present_one() -> None:
    # Weights that do not change leave taste alone to differ between two times.
    settings = dataclasses.replace(TINY, novelty=0.0, feedback=0.0, released_before=1.0)
    drifting = simulate(settings, seed=2)
    rows = rows_of(drifting)
    by_taste = (drifting.plays.origins == 3) & (drifting.plays.times_ms > START_MS + 30 * WEEK_MS)
    rows, times, tracks = rows[by_taste], drifting.plays.times_ms[by_taste], drifting.plays.tracks[by_taste]

    def log_score(weeks_ago: int) -> float:
        preference = drifting.preference(rows, times - weeks_ago * WEEK_MS)
        return float(np.log(preference[np.arange(len(rows)), tracks]).mean())

    assert log_score(0) > log_score(8) + 0.05
    assert log_score(8) > log_score(26)
    still = simulate(dataclasses.replace(settings, drift=0.0), seed=2)
    now = still.taste(np.arange(100), np.full(100, START_MS))
    np.testing.assert_allclose(now, still.taste(np.arange(100), np.full(100, START_MS + 30 * WEEK_MS)))


# The oracle and the files


def hit_rate_at_10(scores: np.ndarray, targets: np.ndarray, n_items: int) -> float:
    rows = CSR(np.arange(len(targets) + 1), targets.astype(np.int32), n_items)
    ranks = rank_scores(scores.astype(np.float32), rows, None)
    return float(np.clip((10 - ranks.greater) / ranks.equal, 0, 1).mean())


def test_the_oracle_beats_popularity_and_each_source_of_truth_helps() -> None:
    world = simulate(dataclasses.replace(TINY, listeners=400, plays=12_000), seed=7)
    log = world.log()
    last = log.indptr[1:] - 1
    keep = np.ones(len(log), dtype=bool)
    keep[last] = False
    train, users = log.where(keep), np.arange(log.n_users)
    popularity = np.broadcast_to(train.counts(), (log.n_users, log.n_items))
    rates = [
        hit_rate_at_10(scores, log.items[last], log.n_items)
        for scores in (
            popularity,
            Oracle(world, session=False).scores(users, train),
            Oracle(world).scores(users, train),
            Oracle(world, next_times_ms=log.times[last]).scores(users, train),
        )
    ]
    assert rates[0] + 0.03 < rates[1] < rates[2] - 0.03
    assert rates[3] > rates[2] - 0.02


def test_the_oracle_recommends_the_likeliest_tracks_to_listeners_of_its_world(world: World) -> None:
    log, users = world.log(), np.array([3, 0])
    histories = log.take(users)
    oracle = Oracle(world)
    hits = oracle.recommend(users, histories, 5, filter_already_played=False)
    scores = oracle.scores(users, histories)
    np.testing.assert_array_equal(hits.ids, np.argsort(-scores, axis=1, kind="stable")[:, :5])
    with pytest.raises(ValueError, match="knows the listeners of its world alone"):
        oracle.recommend([-1], log.take([0]), 5)
    with pytest.raises(ValueError, match="knows the listeners of its world alone"):
        oracle.similar_items([0])


def test_the_oracle_speaks_the_ids_of_an_imported_log(world: World) -> None:
    log = world.log()
    rng = np.random.default_rng(0)
    tracks, users = rng.permutation(log.n_items)[:250], rng.permutation(log.n_users)
    imported = dataclasses.replace(log, n_items=250)
    object.__setattr__(imported, "tracks", pl.DataFrame({"track": [f"track-{one:06d}" for one in tracks]}))
    object.__setattr__(imported, "users", pl.DataFrame({"user": [f"listener-{one:05d}" for one in users]}))
    dense = np.full(log.n_items, -1, dtype=np.int32)
    dense[tracks] = np.arange(250)
    history = log.take(users[:20])
    history = history.where(dense[history.items] >= 0)
    expected = Oracle(world).scores(users[:20], history)[:, tracks]
    mapped = dataclasses.replace(history, items=dense[history.items], n_items=250)
    np.testing.assert_array_equal(Oracle(world, imported).scores(np.arange(20), mapped), expected)
    object.__setattr__(imported, "tracks", pl.DataFrame({"track": ["track-999999"]}))
    with pytest.raises(ValueError, match="track-999999"):
        Oracle(world, imported)


def test_the_command_writes_what_was_simulated(tmp_path, capsys) -> None:
    assert main(["--size=tiny", f"--output={tmp_path / 'csv'}", "--seed=3"]) == 0
    assert main(["--size=tiny", f"--output={tmp_path / 'parquet'}", "--seed=3", "--plays_as=parquet"]) == 0
    assert "5,000 plays" in capsys.readouterr().out
    world = simulate("tiny", seed=3)
    table = pl.read_csv(tmp_path / "csv" / "plays.csv", try_parse_dates=True)
    columnar = pl.read_parquet(tmp_path / "parquet" / "plays.parquet")
    assert table.columns == columnar.columns == ["user", "track", "time", "played_s", "finished", "context"]
    assert np.all(np.diff(columnar["time"].to_numpy()) >= 0)
    assert table["time"].dt.epoch("ms").to_list() == columnar["time"].to_list()
    by_user = columnar.with_row_index().sort("user", "index")
    assert by_user["track"].to_list() == [f"track-{one:06d}" for one in world.plays.tracks]
    tracks = pl.read_csv(tmp_path / "csv" / "tracks.csv")
    listeners = pl.read_csv(tmp_path / "csv" / "listeners.csv")
    assert len(tracks) == TINY.tracks and tracks["track"].n_unique() == TINY.tracks
    assert tracks.null_count().sum_horizontal()[0] == 0
    assert len(listeners) == TINY.listeners
    # Nothing is overwritten, and nothing half-written is left.
    assert main(["--size=tiny", f"--output={tmp_path / 'csv'}"]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["csv", "parquet"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"plays": 10}, "plays=10 is too few"),
        ({"album": 0.9, "flow": 0.3}, "the sum below 1"),
        ({"tracks": 0}, "tracks=0"),
        ({"drift": -1.0}, "drift=-1"),
        ({"repeat_decay": 1.0}, "repeat_decay=1"),
        ({"feedback": 1.0}, "feedback=1"),
        ({"policy_uniform": 0.0}, "policy_uniform=0"),
        ({"slate_tracks": 0}, "slate_tracks=0"),
        ({"taste_scale": 200.0}, "taste_scale=200"),
        ({"weeks": 0, "novelty": -1.0, "accept_bias": math.nan}, r"weeks=0; .*\nnovelty=-1.0; .*\naccept_bias=nan; "),
        ({"plays": 1e30}, r"plays=1e\+30; it takes int"),
        ({"policy_taste": 1e30}, r"policy_taste=1e\+30; it must be at most 50"),
        ({"tracks": True}, "tracks=True; it takes int"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **settings)


def test_wrong_arguments_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="choose one of tiny, small, medium"):
        simulate("huge")
    with pytest.raises(ValueError, match="listeners holds 100"):
        world.preference(np.array([3, 100]), np.array([START_MS, START_MS]))
    with pytest.raises(ValueError, match="two equal"):
        world.preference(np.array([3]), np.array([START_MS, START_MS]))
    with pytest.raises(ValueError, match="contexts holds 5"):
        world.preference(np.array([3]), np.array([START_MS]), np.array([5]))
    with pytest.raises(ValueError, match=r"contexts \(1,\)"):
        world.acceptance(np.array([3, 4]), np.array([START_MS, START_MS]), np.array([0]))


@pytest.mark.parametrize(
    "settings",
    [Settings(tracks=1, listeners=1, plays=5, weeks=1), Settings(tracks=20, listeners=2, plays=10, weeks=2)],
)
def test_the_smallest_worlds_work(settings: Settings) -> None:
    small = simulate(settings)
    assert len(small.plays) == settings.plays
    assert small.preference(np.array([0]), np.array([START_MS])).sum() == pytest.approx(1)


def test_importing_the_world_is_light() -> None:
    code = (
        "import sys, mu.world; assert not {'numba', 'polars', 'numpy'} & set(sys.modules);"
        "import mu.world.oracle, mu.world.tables, mu.commands.world; assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_its_repr_says_how_large_it_is(world: World) -> None:
    artists = len(world.catalogue.artist_names)
    assert repr(world) == (
        f"World(300 tracks by {artists} artists, 100 listeners, 5,000 plays in 52 weeks from 2024-01-05, seed 3)"
    )
