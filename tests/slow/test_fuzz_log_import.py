"""Mutated logs: imported with every value as it was written and every row counted, or refused by the file's name."""

import bz2
import datetime
import gzip
import json
import lzma
import random
import re

import numpy as np
import polars as pl
import pytest

from mu.data.logs.importing import delimited, jsonl
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from tests.conftest import resident_bytes
from tests.helpers.mutations import BYTES, TEXT, mutated
from tests.helpers.trials import seeds, trial

pytestmark = pytest.mark.slow
NAMES = ["user", "track", "time", "weight", "title"]
GROWTH_BYTES = 600 << 20


def rows(form):
    """Thirty plays with awkward ids; `form` of the times is 's', 'ms' or 'iso'."""
    generator, plays = random.Random(1), []
    for n in range(30):
        moment = 1_500_000_000 + 100 * n
        iso = datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        user, track = generator.choice(["0001", "u å", "NA", "1e5"]), generator.choice(["007", "t", "null", "10"])
        time = {"s": moment, "ms": moment * 1000, "iso": iso}[form]
        plays.append((user, track, str(time), str(n % 4), f"Title {n % 3}"))
    return plays


def delimited_text(separator, form, quote=""):
    lines = [NAMES, *rows(form)]
    return "".join(separator.join(f"{quote}{field}{quote}" for field in line) + "\n" for line in lines).encode()


def objects():
    return [dict(zip(NAMES, row, strict=True)) | {"more": [1, {"a": None}]} for row in rows("s")]


def parquet(path):
    pl.DataFrame(rows("s"), schema=NAMES, orient="row").write_parquet(path)
    return path.read_bytes()


TEXTS = {
    "a.csv": lambda: delimited_text(",", "s"),
    "iso.csv": lambda: delimited_text(",", "iso"),
    "quoted.csv": lambda: delimited_text(",", "ms", '"'),
    "a.tsv": lambda: delimited_text("\t", "s"),
    "a.inter": lambda: delimited_text("\t", "s").replace(b"user\ttrack\ttime", b"user:token\ttrack:token\ttime:float"),
    "a.jsonl": lambda: "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects()).encode(),
    "a.json": lambda: json.dumps(objects(), ensure_ascii=False, indent=1).encode(),
}
PACKERS = {"a.csv.gz": gzip.compress, "a.csv.bz2": bz2.compress, "a.csv.xz": lzma.compress}


def outcome(path, out, **options):
    """(the log, None) or (None, the message); other exceptions are raised."""
    try:
        import_log([str(path)], out, LogImportOptions(**options), overwrite=True)
    except ValueError as error:
        return None, str(error)
    return load(out), None


def check_refusal(message, path):
    assert str(path) in message or "no plays in the input" in message, message
    assert message.count("\n") < 3 and len(message) < 6000, message[:2000]


def values_of(log):
    """Everything that a log holds."""
    arrays = [log.indptr, log.items, log.times, log.weights]
    return [np.asarray(one).tolist() for one in arrays], log.users.rows(), log.tracks.rows()


def check_counts(log, out):
    """Rows read are rows kept and rows set aside, and those are written with their lines."""
    card = log.card
    assert card["rows_in"] == card["events"] + card["rejected"] == card["events"] + card["rows_dropped"]["bad"]
    written = pl.read_csv(out / "rejected.csv", infer_schema=False).height if (out / "rejected.csv").exists() else 0
    assert written == card["rejected"]
    assert log.indptr[-1] == len(log.items) == len(log.times) == card["events"]


def check_written(log, text, whole):
    """Users, tracks and times of each play are in one line of the text (in all of it where records span lines)."""
    lines = [text] if whole else text.split("\n")
    users, tracks = ([str(one) for one in table.to_series(0)] for table in (log.users, log.tracks))
    owners = np.repeat(np.arange(len(log.indptr) - 1), np.diff(log.indptr))
    times = np.asarray(log.times) if log.card["time_unit"] == "ms" else [None] * len(owners)
    for user, item, time in zip(owners, log.items, times, strict=True):
        found = [line for line in lines if users[user] in line and tracks[item] in line]
        assert found, f"no line of user {users[user]!r} and track {tracks[item]!r}"
        if time is not None:
            assert any(holds_time(line, int(time)) for line in found), f"no line of {users[user]!r} at {time} ms"


def holds_time(line, ms):
    """Whether the moment is written in the line: as a number of s, ms, us or ns, or as a date."""
    for word in re.findall(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", line):
        try:
            number = float(word)
        except ValueError:
            continue
        if any(abs(number * unit - ms) <= 1 for unit in (1000, 1, 1e-3, 1e-6)):
            return True
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return moment.strftime("%M:%S") in line or moment.strftime("%Y%m%d") in line or moment.strftime("%Y-%m-%d") in line


def plain_text(content, path):
    """The text, with quotes of CSV as they are read."""
    text = content.decode("utf-8", "replace")
    return text.replace('""', '"') if ".csv" in path.name else text


def check_rows_in(log, text, path):
    """The rows are the lines that are not empty, but for the first one with the names; where a line is a record."""
    if path.name == "a.json" or b'"' in text or b"\r" in text:
        return
    lines = [line for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line]
    assert log.card["rows_in"] == len(lines) - 1


def check(content, path, monkeypatch, text=None, unit="auto"):
    """The laws of one mutated file; `text` is what is in it, None where it is not known."""
    path.write_bytes(content)
    out = path.parent / "out"
    log, message = outcome(path, out, on_error="skip", time_unit=unit)
    if log is None:
        check_refusal(message, path)
    else:
        check_counts(log, out)
        if text is not None:
            check_rows_in(log, text, path)
        if text is not None and b"\\" not in text:
            check_written(log, plain_text(text, path), whole=b'"' in text or b"\r" in text or path.name == "a.json")
    strict, said = outcome(path, path.parent / "strict", on_error="stop", time_unit=unit)
    if strict is None:
        check_refusal(said, path)
        assert log is None or log.card["rejected"] > 0, f"skip rejects nothing, stop says {said}"
    else:
        assert log is not None and log.card["rejected"] == 0, f"stop imports it, skip says {message}"
        assert values_of(strict) == values_of(log)
    if unit == "auto":  # it is chosen by what a block holds
        return log is not None
    with monkeypatch.context() as patch:
        patch.setattr(delimited, "BLOCK_BYTES", 256)
        patch.setattr(jsonl, "BLOCK_BYTES", 256)
        small, said = outcome(path, path.parent / "small", on_error="skip", time_unit=unit)
    assert (small is None) == (log is None), f"in small blocks: {said}; else: {message}"
    if small is not None:
        assert values_of(small) == values_of(log)
        assert small.card["rejected"] == log.card["rejected"]
    return log is not None


@pytest.mark.parametrize("name", TEXTS)
def test_texts(tmp_path, monkeypatch, name):
    good, imported, memory = TEXTS[name](), 0, resident_bytes()
    for seed in seeds(60):
        content = mutated(good, random.Random(f"{name} {seed}"), TEXT)
        with trial(seed, tmp_path / name):
            unit = {"iso.csv": "iso", "quoted.csv": "ms"}.get(name, "s") if seed % 2 else "auto"
            imported += check(content, tmp_path / name, monkeypatch, content, unit)
    assert imported or len(seeds(60)) < 20
    assert resident_bytes() - memory < GROWTH_BYTES


@pytest.mark.parametrize("name", PACKERS)
def test_packed_texts(tmp_path, monkeypatch, name):
    """Damage of what is packed, and of the pack."""
    plain, pack = TEXTS["a.csv"](), PACKERS[name]
    for seed in seeds(40):
        generator = random.Random(f"{name} {seed}")
        text = mutated(plain, generator, TEXT) if seed % 2 else None
        content = mutated(pack(plain), generator, BYTES) if text is None else pack(text)
        with trial(seed, tmp_path / name):
            check(content, tmp_path / name, monkeypatch, text)


def test_parquet(tmp_path, monkeypatch):
    good = parquet(tmp_path / "good.parquet")
    for seed in seeds(60):
        with trial(seed, tmp_path / "a.parquet"):
            check(mutated(good, random.Random(seed), BYTES), tmp_path / "a.parquet", monkeypatch)


@pytest.mark.parametrize("name", TEXTS)
def test_the_good_ones_are_imported_whole(tmp_path, monkeypatch, name):
    content = TEXTS[name]()
    assert check(content, tmp_path / name, monkeypatch, content)
    assert load(tmp_path / "out").card["events"] == 30 and load(tmp_path / "out").card["rejected"] == 0
