"""Shards of embeddings: in any order, killed, merged by hand or ended at once they make the same whole."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest

from mu.data import embeddings as table
from mu.data.faults import LEDGER, ledger_text
from mu.embedding import shards, vector_file
from mu.embedding.run import embed, merge
from mu.files import write_whole
from tests.helpers.embeddings import (
    PLAN,
    Stopped,
    content,
    stop_after,
)
from tests.helpers.processes import environment


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shards_make_the_same_whole(run, original, whole, tmp_path, order):
    output = whole.parent / f"sharded{order[0]}"  # as far from the library as the other
    share = {key: shards.shard_of(key, 3) for key in table.load(whole).table["content_hash"]}
    for done, number in enumerate(order):
        report = embed(run, original, output, shard=(number, 3), licence="made for a test")
        assert set(report.missing) == {key for key in share if share[key] in order[done + 1 :]}
        if report.missing:
            with pytest.raises(FileNotFoundError, match="not finished"):
                table.load(output)
            with pytest.raises(ValueError, match=r"recordings have not been embedded.*run the missing shards"):
                merge(output)
    assert content(output) == content(whole) and len(merge(output)) == 7  # nothing is left to merge


def test_merging_by_hand_makes_the_same_whole(run, original, whole, monkeypatch):
    """Where the last shard did not see the others; and shards may be divided in different ways."""
    output = whole.parent / "merged"
    with monkeypatch.context() as patch:
        patch.setattr(shards, "finish", lambda *given: ("unseen",))
        for shard in ((0, 2), (2, 3), (0, 3), (1, 2)):
            embed(run, original, output, shard=shard, licence="made for a test")
    assert len(merge(output)) == 7
    assert content(output) == content(whole)


def test_what_is_stopped_goes_on_and_nothing_shows_it(run, original, whole):
    output = whole.parent / "stopped"
    work = output / "shards" / "0-of-1" / "records.bin"
    size = vector_file.record_type(144).itemsize
    for n in (2, 3, 5):
        with pytest.raises(Stopped):
            embed(run, original, output, licence="made for a test", progress=stop_after(n))
        assert len(vector_file.read_vectors(work, 144)) == n
        with open(work, "ab") as file:  # half a record, and then whole ones of noise
            file.write(bytes(3 * size - 100) if n == 2 else os.urandom(2 * size + 17))
    report = embed(run, original, output, licence="made for a test")
    assert (report.new, report.known) == (2, 5)
    assert content(output) == content(whole)


def test_a_killed_process_goes_on_and_nothing_shows_it(run, original, whole):
    """SIGKILL in the midst of a file of records, in a process with a compiler of its own."""
    output = whole.parent / "killed"
    code = (
        "import os, signal, sys\n"
        "from mu.embedding import run, vector_file\n"
        "vector_file.FLUSH_EVERY_S = -1.0\n"
        "def progress(done, total, note):\n"
        "    if done == 4:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "run.embed(*sys.argv[1:], licence='made for a test', progress=progress)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, run, original, output],
        env=environment() | {"MU_TRUST": "tests"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(vector_file.read_vectors(output / "shards" / "0-of-1" / "records.bin", 144)) == 4
    report = embed(run, original, output, licence="made for a test")
    assert (report.new, report.known) == (3, 4)
    assert content(output) == content(whole)


def test_a_kill_between_the_files_of_the_whole_costs_nothing(run, library, tmp_path, monkeypatch):
    """Once the new card is ready the rest is renaming, which the next call finishes."""
    output = tmp_path / "embeddings"
    with monkeypatch.context() as patch:
        patch.setattr(table, "settle", lambda folder: (_ for _ in ()).throw(Stopped))
        with pytest.raises(Stopped):
            embed(run, library, output)
    assert not (output / "card.json").exists() and (output / "card.json.part").exists()
    os.replace(output / "embeddings.npy.part", output / "embeddings.npy")
    with pytest.raises(FileNotFoundError, match="not finished"):
        table.load(output)
    assert embed(run, library, output).new == 0
    assert len(table.load(output)) == 7 and not list(output.glob("*.part"))


def test_records_that_are_not_theirs_are_not_believed(tmp_path):
    path = tmp_path / "0-of-1" / "records.bin"
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    with vector_file.VectorFile(path, 3) as file:
        for number, vector in enumerate(vectors):
            file.append(f"{number:064x}", vector)
    np.testing.assert_array_equal(vector_file.read_vectors(path, 3)["vector"], vectors)
    content = bytearray(path.read_bytes())
    content[vector_file.record_type(3).itemsize * 2 + 70] ^= 1  # a bit of the third
    path.write_bytes(content)
    assert len(vector_file.read_vectors(path, 3)) == 2
    with vector_file.VectorFile(path, 3) as file:
        file.append("f" * 64, vectors[0])
    assert vector_file.read_vectors(path, 3)["content_hash"].tolist()[2] == b"f" * 64


def test_shares_that_end_at_once_make_one_whole(tmp_path, monkeypatch):
    """Sixteen workers that begin, add their vectors and finish, in whatever order the system runs them."""
    n, of = 400, 16
    keys = [hashlib.sha256(bytes([number % 256, number // 256])).hexdigest() for number in range(n)]
    clips = pl.DataFrame({"clip": keys, "content_hash": keys, "duration_s": 1.0})
    written = []
    real = shards.write
    monkeypatch.setattr(shards, "write", lambda folder, *rest: (written.append(folder), real(folder, *rest)))

    def work(number):
        with shards.locked(tmp_path):
            shards.write_plan(tmp_path, dict(PLAN), clips)
        with vector_file.VectorFile(tmp_path / "shards" / f"{number}-of-{of}" / shards.VECTOR_FILE, 3) as file:
            for key in keys:
                if shards.shard_of(key, of) == number:
                    file.append(key, np.full(3, keys.index(key), np.float32))
        return shards.finish(tmp_path, clips)

    with ThreadPoolExecutor(of) as pool:
        missing = [*pool.map(work, range(of))]
    assert len(written) == 1 and () in missing and not (tmp_path / "shards").exists()
    found = table.load(tmp_path)
    np.testing.assert_array_equal(found.vectors[:, 0], np.arange(n))
    assert found.table["content_hash"].to_list() == keys and found.card["made_with"] == [{"mu": "0"}]


def test_a_mended_recording_that_is_being_embedded_is_waited_for(tmp_path):
    """Its old fault is no answer while another process tries it again: the whole would be made without it."""
    keys = [f"{number:015x}" + "0" * 49 for number in range(4)]
    clips = pl.DataFrame({"clip": list("abcd"), "content_hash": keys, "duration_s": 1.0})

    @contextlib.contextmanager
    def at_work(number, of):
        with shards.locked(tmp_path):
            shards.write_plan(tmp_path, dict(PLAN), clips)
            file = vector_file.VectorFile(tmp_path / "shards" / f"{number}-of-{of}" / shards.VECTOR_FILE, 3)
        with file:
            yield file

    with at_work(0, 1) as file:
        for key in keys[:3]:
            file.append(key, np.ones(3))
    fault = {"file": "d", "fault": "missing", "reason": "x", "done": "left out", "content_hash": keys[3]}
    write_whole(tmp_path / "shards" / "0-of-1" / LEDGER, ledger_text([fault]))
    assert shards.finish(tmp_path, clips) == () and len(table.load(tmp_path)) == 3
    with at_work(1, 2) as file:  # d is there again, and its share has begun
        with at_work(0, 2):
            pass
        assert shards.finish(tmp_path, clips) == (keys[3],)
        file.append(keys[3], np.ones(3))
    assert shards.finish(tmp_path, clips) == ()
    found = table.load(tmp_path)
    assert len(found) == 4 and found.faults == () and not (tmp_path / "shards").exists()


def test_a_share_is_taken_before_anybody_can_finish_without_it(run, original, tmp_path, monkeypatch):
    """From the moment that it is known what is there, others see this process at work."""
    seen = []
    known = shards.stored_vectors

    def looked(folder, dim):
        seen.append(vector_file.is_open(folder / "shards" / "1-of-3" / shards.VECTOR_FILE))
        return known(folder, dim)

    monkeypatch.setattr(shards, "stored_vectors", looked)
    embed(run, original, tmp_path / "embeddings", shard=(1, 3))
    assert seen == [True, False]  # at the beginning, and in `finish`


def test_a_library_and_an_output_behind_links(run, library, tmp_path, monkeypatch):
    """'..' leads from where a folder is, not from the link to it."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    os.symlink(tmp_path / "far" / "away", tmp_path / "link")
    with monkeypatch.context() as patch:
        patch.setattr(shards, "finish", lambda *given: ("unseen",))
        embed(run, library, tmp_path / "link" / "embeddings")
    assert len(merge(tmp_path / "link" / "embeddings")) == 7


def test_vectors_go_to_the_system_once_a_second(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(vector_file, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    path = tmp_path / shards.VECTOR_FILE
    on_disk = []
    with vector_file.VectorFile(path, 3) as file:
        for number in range(4):
            now[0] = 0.6 * number
            file.append(f"{number:064x}", np.zeros(3, np.float32))
            on_disk.append(len(vector_file.read_vectors(path, 3)))
    assert on_disk == [0, 0, 3, 3]
