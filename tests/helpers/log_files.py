"""A small log of plays, written in several formats, and what its import must give."""

import csv
import gzip
import json
import pathlib

import polars as pl

from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load

ROWS = [  # user, track, time (unix s), weight, title; times tie, users and tracks come in no order
    ("9", "30", 1_600_000_300, 1.0, "Blå"),
    ("7", "10", 1_600_000_200, 2.5, "A, B"),
    ("9", "20", 1_600_000_100, 0.0, "C"),
    ("7", "30", 1_600_000_200, 4.0, "Blå"),
    ("9", "10", 1_600_000_100, 1.0, "A, B"),
    ("7", "10", 1_600_000_100, 3.0, "A, B"),
]
NAMES = ["user", "track", "time", "weight", "title"]
# By hand: user 9 is 0, 7 is 1; track 30 is 0, 10 is 1, 20 is 2.
INDPTR, ITEMS, WEIGHTS = [0, 3, 6], [2, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 3.0, 2.5, 4.0]
TIMES = [1_600_000_000_000 + 1000 * s for s in (100, 100, 300, 100, 200, 200)]


def write_csv(path, rows=ROWS, names=NAMES, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([names, *rows])
    return str(path)


def write_jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows))
    return str(path)


def write_parquet(path, rows=ROWS):
    pl.DataFrame(rows, schema=NAMES, orient="row").write_parquet(path)
    return str(path)


def write_recbole(path, rows=ROWS):
    types = ["user:token", "track:token", "time:float", "weight:float", "title:token_seq"]
    return write_csv(path, rows, types, delimiter="\t")


def write_gz(path):
    plain = pathlib.Path(write_csv(path.with_suffix("")))
    path.write_bytes(gzip.compress(plain.read_bytes()))
    return str(path)


def imported(folder, name, data, **options):
    """The users and tracks of the log in a file of these bytes, and the lines and reasons of its bad rows."""
    (folder / name).write_bytes(data)
    options = LogImportOptions(**{"on_error": "skip"} | options)
    import_log([str(folder / name)], folder / "out", options, overwrite=True)
    log = load(folder / "out")
    bad = []
    if (folder / "out" / "rejected.csv").exists():
        with open(folder / "out" / "rejected.csv", newline="") as file:
            bad = [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]
    return log.users["user"].to_list(), log.tracks["track"].to_list(), bad


def check_rows_log(folder, ids=True):
    log = load(folder)
    assert log.indptr.tolist() == INDPTR and log.items.tolist() == ITEMS
    assert log.times.tolist() == TIMES and log.weights.tolist() == WEIGHTS
    if ids:
        assert log.users["user"].to_list() == [9, 7]
        assert log.tracks.rows() == [(30, "Blå"), (10, "A, B"), (20, "C")]
    assert log.card["time_unit"] == "ms"
    return log


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
