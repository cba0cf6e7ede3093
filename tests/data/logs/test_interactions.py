"""A log of plays: every transformation keeps the fields of a play together; equal logs alone have equal hashes."""

import dataclasses
import hashlib
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.data.logs import splits
from mu.data.logs.interactions import Interactions, load

N_TRACKS = 9
PLACES = ["", "home", "car"]
DEVICES = [f"device {n}" for n in range(300)]
CARD = {"time_unit": "ms", "event_columns": {"context": PLACES, "device": DEVICES}}


def make_log(lengths, seed=0):
    """Histories of these lengths, times that tie, `weights` number the plays."""
    generator = np.random.default_rng(seed)
    n = sum(lengths)
    times = np.concatenate([np.sort(generator.integers(0, 50, m)) for m in lengths] or [[]]).astype(np.int64)
    return Interactions(
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=generator.integers(0, N_TRACKS, n).astype(np.int32),
        times=times,
        weights=np.arange(n, dtype=np.float32),
        n_items=N_TRACKS,
        parts=generator.integers(0, 3, n).astype(np.uint8),
        outcomes=generator.integers(0, 3, n).astype(np.uint8),
        columns={
            "context": generator.integers(0, 3, n).astype(np.uint8),
            "device": generator.integers(0, 300, n).astype(np.uint16),
        },
        card=CARD,
    )


def plays_of(log):
    """(user, item, time, weight, outcome, context, device) of each play; users by their row in the whole log."""
    rows = np.arange(log.n_users) if log.user_rows is None else log.user_rows
    users = np.repeat(rows, log.lengths)
    columns = (users, log.items, log.times, log.weights, log.outcomes, *log.columns.values())
    return list(zip(*(column.tolist() for column in columns), strict=True))


def write(log, folder):
    folder.mkdir()
    for name in ("indptr", "items", "times", "weights", "parts", "outcomes"):
        if getattr(log, name) is not None:
            np.save(folder / f"{name}.npy", getattr(log, name))
    (folder / "columns").mkdir()
    for name, codes in log.columns.items():
        np.save(folder / "columns" / f"{name}.npy", codes)
    pl.DataFrame({"user": [f"u{u}" for u in range(log.n_users)]}).write_parquet(folder / "users.parquet")
    pl.DataFrame({"track": [f"t{t}" for t in range(log.n_items)]}).write_parquet(folder / "tracks.parquet")
    (folder / "card.json").write_text(json.dumps(log.card | {"tracks": log.n_items}))
    return load(folder)


lengths = st.lists(st.integers(0, 8), min_size=1, max_size=8)
SPLITS = {
    "predefined": splits.predefined,
    "leave_one_out": splits.leave_one_out,
    "random_by_ratio": lambda log: splits.random_by_ratio(log, 0.2, 0.3, seed=5),
    "global_temporal": lambda log: splits.global_temporal(log, valid_share=0.2, test_share=0.2),
}


@settings(max_examples=50, deadline=None)
@given(lengths, st.integers(0, 99))
def test_the_fields_of_a_play_stay_together(lengths, seed):
    log, generator = make_log(lengths, seed), np.random.default_rng(seed)
    whole = plays_of(log)
    keep = generator.random(len(log)) < 0.5
    assert plays_of(log.where(keep)) == [play for play, kept in zip(whole, keep, strict=True) if kept]
    users = generator.integers(0, log.n_users, 5)
    taken = log.take(users)
    assert plays_of(taken) == [play for user in users for play in whole if play[0] == user]
    assert plays_of(taken.take(np.array([3, 1]))) == [p for u in users[[3, 1]] for p in whole if p[0] == u]
    merged = log.where(keep).merged(log.where(~keep))
    assert sorted(plays_of(merged)) == sorted(whole)
    order = [(user, time) for user, _, time, *_ in plays_of(merged)]
    assert order == sorted(order)


@pytest.mark.parametrize("name", SPLITS)
@settings(max_examples=30, deadline=None)
@given(lengths, st.integers(0, 99))
def test_splits_keep_the_fields_of_a_play(name, lengths, seed):
    log = make_log(lengths, seed)
    try:
        split = SPLITS[name](log)
    except ValueError:
        assert name == "global_temporal"
        return
    plays = plays_of(split.train) + plays_of(split.valid) + plays_of(split.test)
    assert sorted(plays) == sorted(plays_of(log))


def test_a_log_on_disk_is_the_log_in_memory(tmp_path):
    log = make_log([3, 0, 4])
    opened = write(log, tmp_path / "log")
    assert plays_of(opened) == plays_of(log) and opened.hash() == log.hash()
    assert np.asarray(opened.parts).tolist() == np.asarray(log.parts).tolist()
    bare = dataclasses.replace(log, parts=None, outcomes=None, columns={}, card={"time_unit": "ms"})
    opened = write(bare, tmp_path / "bare")
    assert opened.parts is None and opened.outcomes is None and opened.columns == {}


@pytest.mark.parametrize("name", ["parts", "outcomes", "columns/context"])
def test_arrays_of_another_type_or_length_are_refused(tmp_path, name):
    write(make_log([3]), tmp_path / "log")
    np.save(tmp_path / "log" / f"{name}.npy", np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match=rf"{name}.npy has 2 entries; indptr.npy says 3"):
        load(tmp_path / "log")
    np.save(tmp_path / "log" / f"{name}.npy", np.zeros(3))
    with pytest.raises(ValueError, match=rf"{name}.npy is float64; it must be uint8"):
        load(tmp_path / "log")


def test_event_columns_need_a_vocabulary_and_a_file(tmp_path):
    with pytest.raises(ValueError, match=r"has no vocabulary for .*columns/context.npy"):
        write(dataclasses.replace(make_log([3]), card={}), tmp_path / "log")
    write(make_log([3]), tmp_path / "other")
    (tmp_path / "other" / "columns" / "device.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"columns/device.npy"):
        load(tmp_path / "other")


def test_hashes_count_what_is_there():
    """A log without outcomes and event columns, or with a context alone, has the hash that it always had."""
    log = make_log([3, 4])
    bare = dataclasses.replace(log, outcomes=None, columns={})
    digest = hashlib.sha256(b"9")
    for array in (log.indptr, log.items, log.times, log.weights):
        digest.update(array.tobytes())
    assert bare.hash() == digest.hexdigest()
    context, device = log.columns["context"], log.columns["device"]
    digest.update(b'contexts["", "home", "car"]' + context.tobytes())
    assert dataclasses.replace(bare, columns={"context": context}).hash() == digest.hexdigest()
    others = [
        dataclasses.replace(log, columns={}),
        dataclasses.replace(log, outcomes=None),
        dataclasses.replace(log, columns={"context": context}),
        dataclasses.replace(log, columns={"device": device}),
        dataclasses.replace(log, outcomes=None, columns={"context": log.outcomes}),
        dataclasses.replace(log, outcomes=context, columns={}),
        dataclasses.replace(log, card=CARD | {"event_columns": {"context": ["", "car", "home"], "device": DEVICES}}),
    ]
    assert len({bare.hash(), log.hash(), *(other.hash() for other in others)}) == 9
    turned = dataclasses.replace(log, columns={"device": device, "context": context})
    assert log.hash() == make_log([3, 4]).hash() == dataclasses.replace(log, parts=None).hash() == turned.hash()


def test_logs_with_different_columns_are_not_merged():
    log = make_log([3, 4])
    with pytest.raises(ValueError, match="one of the two logs has outcomes, the other has none"):
        log.merged(dataclasses.replace(log, outcomes=None))
    with pytest.raises(ValueError, match="one of the two logs has the event column 'context', the other has not"):
        dataclasses.replace(log, columns={}).merged(log)
    with pytest.raises(ValueError, match="different vocabularies of 'context'"):
        log.merged(dataclasses.replace(log, card={"event_columns": {"context": ["home"], "device": DEVICES}}))


def test_parts_of_a_log_know_its_tables(tmp_path):
    log = write(make_log([3, 2, 4]), tmp_path / "log")
    tracks = [f"t{track}" for track in range(N_TRACKS)]
    part = splits.leave_one_out(log).train
    for one in (part, part.merged(part), log.take(np.array([2, 0]))):
        assert one.tracks["track"].to_list() == tracks
    assert part.users["user"].to_list() == ["u0", "u1", "u2"]
    taken = log.take(np.array([2, 0, 2])).take(np.array([1, 2]))
    assert taken.users["user"].to_list() == ["u0", "u2"]
    assert make_log([3, 2]).take(np.array([1])).users["user"].to_list() == [1]


def test_its_repr_has_counts_days_and_columns():
    log = make_log([2, 0, 3])
    log = dataclasses.replace(log, times=np.array([3, 9, 1, 5, 8]) * 24 * 3600 * 1000, outcomes=None)
    counts = "5 plays of 9 tracks by 3 listeners"
    assert repr(log) == f"Interactions({counts}, 1970-01-02 to 1970-01-10, parts, context, device)"
    for other in (log.where(np.zeros(5, bool)), dataclasses.replace(log, card={"time_unit": "order"})):
        assert other.period == "" and " to " not in repr(other)
