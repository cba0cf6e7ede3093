"""`mu embed`: the same file gives the same bytes, whatever else is embedded, in which order, however often killed."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu.commands.embed import main
from mu.data.clips import clips as clip_tables
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.faults import LEDGER, Fault, ledger_text
from mu.embedding import encoder as encoders
from mu.embedding import pieces, shards, table, vector_file
from mu.embedding.run import embed, merge
from mu.files import write_whole
from mu.inference.clip_encoder import ClipEncoder
from mu.inference.pooling import TILES, Tiles, clip_vectors
from mu.models.factorization import Factorization
from mu.run.evaluation import model_of
from mu.run.rebuild import rebuild
from mu.run.restore import open_run
from mu.training.state import weights
from tests.helpers.audio_clips import tiny_audio_config
from tests.helpers.audio_files import sound, write
from tests.helpers.processes import environment
from tests.helpers.tiny_runs import train

RATE_HZ = 8000  # the run hears 4,000
SECONDS = {"a": 0.3, "b": 1.7, "c": 0.5, "d": 2.26, "e": 0.9, "f": 0.41, "g": 1.0}
# Of embeddings of three dimensions that no run made.
PLAN = {
    "encoder": {"hash": "e" * 64, "noise_vector": [0.5], "run": "runs/x", "step": 1},
    "dim": 3,
    "library": "data/x",
    "library_from_here": "../data/x",
    "licence": {"note": None, "terms": "none"},
    "made_with": [{"mu": "0"}],
}
FILES = ("embeddings.npy", "embeddings.parquet", "faults.jsonl", "card.json")


@functools.cache
def encoder_of(workdir):
    """Restoring a run takes a second, which every call here would pay."""
    return encoders.of_run(workdir)


@pytest.fixture(autouse=True)
def restored_runs(monkeypatch):
    """A run is restored once for all tests."""
    monkeypatch.setattr("mu.embedding.run.of_run", encoder_of)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on tones, of 0.5 s tiles at 4,000 Hz."""
    folder = tmp_path_factory.mktemp("run")
    train(tiny_audio_config(total_steps=2, evaluate_every_steps=2), folder)
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """An import of seven files, one of them FLAC."""
    return imported(tmp_path_factory.mktemp("library"), SECONDS)


@pytest.fixture
def library(original, tmp_path):
    """A copy of it that a test may spoil."""
    folder = tmp_path / "library" / "import"
    shutil.copytree(original.parent, folder.parent)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"root": str(folder.parent / "audio")}))
    return folder


def imported(folder, seconds, **options):
    """Writes files and imports them; returns the folder of the import."""
    for name, length in seconds.items():
        extension = "flac" if name == "c" else "wav"
        write(folder / "audio" / f"{name}.{extension}", sound(length, RATE_HZ, seed=ord(name)), RATE_HZ)
    import_audio(str(folder / "audio"), folder / "import", AudioImportOptions(workers=1, **options))
    return folder / "import"


def content(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def whole(run, original, tmp_path_factory):
    """The embeddings of all, made in one go."""
    folder = tmp_path_factory.mktemp("whole") / "embeddings"
    report = embed(run, original, folder, licence="made for a test")
    assert (report.new, report.known, report.faults, report.missing) == (7, 0, (), ())
    assert report.hours == pytest.approx(sum(SECONDS.values()) / 3600)
    assert sorted(os.listdir(folder)) == sorted([*FILES, ".embed.lock"])
    return folder


def test_what_is_kept_is_what_the_run_says_of_whole_clips(run, original, whole):
    """The mean over tiles, as validation computes it; its tiles are sought one by one, ours are cut from one piece."""
    restored = rebuild(run)
    setup, state, step = restored.run, restored.state, restored.step
    clips = clip_tables.load(original, sample_rate_hz=4000)
    expected = model_of(setup, *weights(state)).predict(clips)["clip"]
    found = table.load(whole)
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-3, atol=1e-3)
    assert found.vectors.dtype == np.float32 and isinstance(found.vectors, np.memmap)
    assert found.table.columns == ["row", "content_hash", "clip", "duration_s"]
    assert found.table["clip"].to_list() == clips.table["clip"].to_list() and found.table["row"].to_list() == [
        *range(7)
    ]
    assert found.card["encoder"]["step"] == step and found.card["dim"] == found.vectors.shape[1] == 144
    assert (found.card["encoder"]["tile_samples"], found.card["encoder"]["sample_rate_hz"]) == (2000, 4000)
    assert (
        found.card["licence"]["note"] == "made for a test" and "inherit their terms" in found.card["licence"]["terms"]
    )
    assert {"mu", "jax", "libsndfile", "device"} <= set(found.card["made_with"][0])


def test_the_same_file_gives_the_same_bytes_in_another_library(run, original, whole, tmp_path):
    """Beside other files, under another name, in another order, with a store that holds 16 bits a sample."""
    for name, new in (("d.wav", "0.wav"), ("a.wav", "x/y.wav"), ("c.flac", "c.flac")):
        (tmp_path / "audio" / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original.parent / "audio" / name, tmp_path / "audio" / new)
    other = imported(tmp_path, {"p": 1.2, "q": 0.7}, store=True, store_rate_hz=4000)
    embed(run, other, tmp_path / "embeddings")
    one, two = table.load(whole), table.load(tmp_path / "embeddings")
    shared = set(one.table["content_hash"]) & set(two.table["content_hash"])
    assert len(shared) == 3 and len(two) == 5
    assert one.of(sorted(shared)).tobytes() == two.of(sorted(shared)).tobytes()


def test_clips_that_never_were_files_are_read_from_the_store(run, original, whole, tmp_path):
    """At the store's rate, which is brought to the run's; its 16 bits are nearly what the files held."""
    files = {name: SECONDS[name] for name in "ab"}
    library = imported(tmp_path, files, store=True, store_rate_hz=RATE_HZ)
    card = json.loads((library / "card.json").read_text())
    (library / "card.json").write_text(json.dumps(card | {"root": None, "root_from_here": None}))
    shutil.rmtree(tmp_path / "audio")
    embed(run, library, tmp_path / "embeddings")
    found = table.load(tmp_path / "embeddings")
    np.testing.assert_allclose(found.vectors, table.load(whole).vectors[:2], rtol=0.02, atol=0.02)


def test_clips_of_equal_content_share_a_vector(run, tmp_path):
    write(tmp_path / "audio" / "z.wav", sound(0.6, RATE_HZ, seed=ord("a")), RATE_HZ)
    library = imported(tmp_path, {"a": 0.6, "b": 0.4}, keep=("duplicate",))
    embed(run, library, tmp_path / "embeddings")
    found = table.load(tmp_path / "embeddings")
    assert len(found) == 2 and found.table["clip"].to_list() == ["a.wav", "b.wav", "z.wav"]
    assert found.table["row"].to_list() == [0, 1, 0]
    twice = found.table["content_hash"].to_list()
    np.testing.assert_array_equal(found.of(twice), found.vectors[[0, 1, 0]])


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


class Stopped(Exception):
    pass


def stop_after(n):
    def progress(done, total, note):
        if done >= n:
            raise Stopped

    return progress


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
    done = subprocess.run([sys.executable, "-c", code, run, original, output], env=environment(), check=False)
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


def test_a_library_that_grew_costs_only_what_is_new(run, tmp_path):
    library, output = imported(tmp_path, SECONDS), tmp_path / "embeddings"
    embed(run, library, output, licence="all mine")
    before = table.load(output)
    kept = {key: before.of([key]).tobytes() for key in before.table["content_hash"]}
    first = content(output)
    report = embed(run, library, output)
    assert (report.new, report.known) == (0, 7) and content(output) == first  # the licence stays too
    (library.parent / "audio" / "f.wav").unlink()
    imported(library.parent, {"0": 0.8})
    assert (embed(run, library, output).new, len(table.load(output))) == (1, 7)
    after = table.load(output)
    assert after.table["clip"].to_list() == ["0.wav", "a.wav", "b.wav", "c.flac", "d.wav", "e.wav", "g.wav"]
    same = [key for key in after.table["content_hash"] if key in kept]
    assert len(same) == 6 and all(after.of([key]).tobytes() == kept[key] for key in same)
    assert after.card["licence"]["note"] == "all mine"


def test_faulty_files_are_named_and_left_out_and_may_be_mended(run, library, tmp_path):
    audio, output = library.parent / "audio", tmp_path / "embeddings"
    good = (audio / "b.wav").read_bytes()
    (audio / "a.wav").unlink()
    (audio / "b.wav").write_bytes(good[:-7])
    broken = b"not a sound"
    (audio / "c.flac").write_bytes(broken)
    known = pl.read_parquet(library / "clips.parquet")
    wrong = (
        pl.when(pl.col("clip") == "c.flac").then(pl.lit(hashlib.sha256(broken).hexdigest())).otherwise("content_hash")
    )
    known.with_columns(content_hash=wrong).write_parquet(library / "clips.parquet")
    with pytest.raises(ValueError, match=r"a.wav: missing .*without --on_error=stop"):
        embed(run, library, output, on_error="stop")
    report = embed(run, library, output)
    assert report.new == 4 and report.missing == ()
    assert [(fault["file"], fault["fault"]) for fault in report.faults] == [
        ("a.wav", "missing"),
        ("b.wav", "changed"),
        ("c.flac", "undecodable"),
    ]
    found = table.load(output)
    assert found.faults == report.faults and found.card["faults"] == 3
    assert found.table["clip"].to_list() == ["d.wav", "e.wav", "f.wav", "g.wav"]
    assert found.rows([fault["content_hash"] for fault in found.faults]).tolist() == [-1, -1, -1]
    (audio / "b.wav").write_bytes(good)
    report = embed(run, library, output, shard=(shards.shard_of(found.faults[1]["content_hash"], 5), 5))
    assert report.new == 1 and "b.wav" in table.load(output).table["clip"]


def test_a_library_of_faulty_files_alone_is_refused(run, library, tmp_path):
    shutil.rmtree(library.parent / "audio")
    with pytest.raises(FileNotFoundError, match=r"no longer at .*--root=DIR"):
        embed(run, library, tmp_path / "embeddings")
    (library.parent / "audio").mkdir()
    with pytest.raises(ValueError, match=r"none of the 7 clips could be embedded. The first: a.wav: missing"):
        embed(run, library, tmp_path / "embeddings")


def test_the_audio_may_have_moved(run, library, whole, tmp_path):
    os.rename(library.parent / "audio", tmp_path / "elsewhere")
    embed(run, library, tmp_path / "embeddings", root=str(tmp_path / "elsewhere"))
    assert (tmp_path / "embeddings" / "embeddings.npy").read_bytes() == (whole / "embeddings.npy").read_bytes()


def test_what_is_there_is_not_spoilt(run, library, original, tmp_path, monkeypatch):
    """Of another encoder, of other code, of another library, being written, or something else altogether."""
    output = tmp_path / "embeddings"
    with pytest.raises(Stopped):
        embed(run, library, output, shard=(0, 2), progress=stop_after(1))
    other = {"hash": "f" * 64}

    def as_another(workdir):
        encoder, card = encoder_of(workdir)
        return encoder, card | other

    with monkeypatch.context() as patch:
        patch.setattr("mu.embedding.run.of_run", as_another)
        with pytest.raises(FileExistsError, match=r"half-finished embeddings of another encoder .*delete"):
            embed(run, library, output)
        other.clear()
        other["noise_vector"] = [100.0] * 8
        with pytest.raises(FileExistsError, match="the code that computes them has changed"):
            embed(run, library, output)
    busy = vector_file.VectorFile(output / "shards" / "0-of-2" / "records.bin", 144)
    with busy, pytest.raises(FileExistsError, match="0-of-2 is being written by another process"):
        embed(run, library, output, shard=(0, 2))
    with pytest.raises(FileExistsError, match="half-finished embeddings of another library"):
        embed(run, original, output)
    embed(run, library, output)
    moved = tmp_path / "moved"
    os.rename(library.parent, moved)
    assert embed(run, moved / "import", output).new == 0  # the same clips at another place
    pl.read_parquet(moved / "import" / "clips.parquet")[1:].write_parquet(moved / "import" / "clips.parquet")
    os.rename(moved, library.parent)
    with pytest.raises(FileExistsError, match="embeddings of another library"):
        embed(run, library, output)
    for folder in (library, run):
        with pytest.raises(FileExistsError, match="something else than embeddings"):
            embed(run, original, folder)


def tiles(n, length=400, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, length)).astype(np.float32), np.full(n, length, np.int32)


class Loudness(nnx.Module):
    """A model whose vector of a tile leans on its neighbours, as no encoder should."""

    def __call__(self, rows, batch):
        mean = jnp.mean(batch["audio"], axis=1, keepdims=True)
        return {"clip": mean - 0.5 * jnp.mean(mean)}


def test_a_tile_knows_no_other_even_in_a_model_that_mixes_them():
    encoder = ClipEncoder(*nnx.split(Loudness()), sample_rate_hz=4000, tile_samples=400)
    assert encoder.alone and encoder.dim == 1
    audio, samples = tiles(7)
    together = encoder.vectors(audio, samples)
    np.testing.assert_allclose(together, audio.mean(axis=1, keepdims=True) / 2, atol=1e-6)
    np.testing.assert_array_equal(encoder.vectors(audio[3:4], samples[3:4]), together[3:4])


def test_weights_that_are_no_numbers_and_models_without_a_clip_vector_are_refused():
    class Broken(nnx.Module):
        def __init__(self, name):
            self.name = name

        def __call__(self, rows, batch):
            return {self.name: jnp.log(jnp.zeros((len(batch["audio"]), 2)))}

    for name, message in (("clip", "give infinities"), ("frames", "gives frames, and no 'clip'")):
        with pytest.raises(ValueError, match=message):
            ClipEncoder(*nnx.split(Broken(name)), sample_rate_hz=4000, tile_samples=400)


def test_an_encoder_of_a_run_needs_no_such_care(run):
    encoder, card = encoders.of_run(run)
    assert not encoder.alone and card["hash"] == encoders.of_run(run)[1]["hash"]
    audio, samples = tiles(TILES, 2000)
    together = encoder.vectors(audio, samples)
    for place in (0, 1, 17, TILES - 1):
        np.testing.assert_array_equal(
            encoder.vectors(audio[place : place + 1], samples[:1]), together[place : place + 1]
        )


def test_the_hash_names_weights_options_and_tiles():
    params = {"a": np.zeros(2, np.float32), "b": {"c": np.ones((1, 2), np.float32)}}
    model = {"name": "m", "size": "xs", "bands": [1, 2]}
    plain = encoders.encoder_hash(model, 8000, 4000, params)
    assert plain == encoders.encoder_hash(dict(reversed(model.items())), 8000, 4000, dict(reversed(params.items())))
    others = [
        encoders.encoder_hash(model | {"size": "s"}, 8000, 4000, params),
        encoders.encoder_hash(model, 16000, 4000, params),
        encoders.encoder_hash(model, 8000, 4001, params),
        encoders.encoder_hash(model, 8000, 4000, params | {"a": np.array([0, 1e-20], np.float32)}),
        encoders.encoder_hash(model, 8000, 4000, params | {"a": np.zeros((2, 1), np.float32)}),
    ]
    assert len({plain, *others}) == 6


def test_long_recordings_are_read_piece_by_piece(original, monkeypatch):
    clips = pieces.open_library(original, 8000)
    (_, one), *_ = pieces.pieces(clips, [3], 1000, threads=2)
    monkeypatch.setattr(pieces, "PIECE_S", 0.6)
    several = [piece for _, piece in pieces.pieces(clips, [3], 1000, threads=2)]
    assert len(several) == 5 and {piece.n_tiles for piece in several} == {19}  # 2.26 s: the last tile reaches back
    np.testing.assert_array_equal(np.concatenate([piece.audio for piece in several]), one.audio)
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in several]), one.samples)


def test_a_fault_in_a_later_piece_is_the_clips_fault(run, original, monkeypatch):
    encoder, _ = encoders.of_run(run)
    clips = pieces.open_library(original, 4000)
    found = [*pieces.pieces(clips, [1, 3, 0], 2000, threads=1)]
    (_, b), (_, d), (_, a) = found
    halves = [Tiles(5, d.audio[:2], d.samples[:2]), Fault("undecodable", "torn"), d]
    told = dict(clip_vectors(encoder.vectors, [(1, b), *((3, half) for half in halves), (0, a)]))
    plain = dict(clip_vectors(encoder.vectors, found))
    assert told[3] == ("undecodable", "torn") and set(told) == {0, 1, 3}
    for row in (0, 1):
        np.testing.assert_array_equal(told[row], plain[row])


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


def test_what_waits_for_the_encoder_is_bounded_by_bytes(original, monkeypatch):
    """Three and a half recordings may wait: with the one that is about to be given three have been begun."""
    clips, begun = pieces.open_library(original, 4000), []

    def hash_file(path):
        begun.append(path)
        return real(path)

    real = pieces.hash_file
    monkeypatch.setattr(pieces, "hash_file", hash_file)
    monkeypatch.setattr(pieces, "WAITING_BYTES", 3.5 * 2000 * 4)
    for threads in (8, 1):
        begun.clear()
        for done, _ in enumerate(pieces.pieces(clips, [0] * 20, 2000, threads)):  # of one tile each
            assert len(begun) <= done + 3
        assert len(begun) == 20
    monkeypatch.setattr(pieces, "WAITING_BYTES", 1)
    assert [row for row, _ in pieces.pieces(clips, range(5), 2000, 4)] == [*range(5)]


def test_a_library_and_an_output_behind_links(run, library, tmp_path, monkeypatch):
    """'..' leads from where a folder is, not from the link to it."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    os.symlink(tmp_path / "far" / "away", tmp_path / "link")
    with monkeypatch.context() as patch:
        patch.setattr(shards, "finish", lambda *given: ("unseen",))
        embed(run, library, tmp_path / "link" / "embeddings")
    assert len(merge(tmp_path / "link" / "embeddings")) == 7


def test_looking_up_what_is_not_there(whole):
    found = table.load(whole)
    keys = found.table["content_hash"].to_list()
    assert found.rows([keys[2], "0" * 64, keys[0]]).tolist() == [2, -1, 0]
    with pytest.raises(ValueError, match=f"1 of 2 recordings have no embedding.*{'0' * 64}"):
        found.of([keys[2], "0" * 64])
    with pytest.raises(FileNotFoundError, match="make them with `mu embed`"):
        table.load(whole / "nowhere")


def test_the_command(run, library, tmp_path, capsys):
    output = f"--output={tmp_path / 'embeddings'}"
    (library.parent / "audio" / "g.wav").unlink()
    assert main([str(run), str(library), output, "--shard=1/2", "--licence=CC0"]) == 0
    assert "belong to shards that are not finished (0/2)" in capsys.readouterr().out
    assert main([str(run), str(library), output]) == 0
    printed = capsys.readouterr().out
    assert "were there" in printed and "g.wav: missing" in printed and "The whole is in" in printed
    assert main([f"--merge={tmp_path / 'embeddings'}"]) == 0
    assert "6 embeddings of 144 numbers" in capsys.readouterr().out
    assert json.loads((tmp_path / "embeddings" / "card.json").read_text())["licence"]["note"] == "CC0"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("{nowhere} {library} --output={new}", 1, "holds no run"),
        ("{run} {nowhere} --output={new}", 1, "clips.parquet is missing"),
        ("{run} {library} --output={run}", 1, "something else than embeddings"),
        ("--merge={nowhere}", 1, "no embeddings at"),
        ("{run} {library}", 2, "--output=DIR are needed"),
        ("{run} --output={new}", 2, "LIBRARY"),
        ("{run} {library} --merge={new}", 2, "--merge=DIR alone"),
        ("--merge={nowhere} --output={new}", 2, "--merge=DIR alone"),
        ("--merge={nowhere} --shard=0/2", 2, "--shard says how to embed, and --merge=DIR alone"),
        ("--merge={nowhere} --licence=CC0", 2, "--licence says how to embed"),
        ("--merge={nowhere} --root={new}", 2, "--root says how to embed"),
        ("--merge={nowhere} --on_error=skip", 2, "--on_error says how to embed"),
        ("{run} {library} --output={new} --shard=2/2", 2, "counted from 0 to N - 1"),
        ("{run} {library} --output={new} --shard=half", 2, "it takes I/N"),
    ],
)
def test_wrong_calls(run, original, tmp_path, capsys, arguments, status, message):
    named = {"run": run, "library": original, "nowhere": tmp_path / "nowhere", "new": tmp_path / "new"}
    try:
        found = main([word.format(**named) for word in arguments.split()])
    except SystemExit as stop:
        found = stop.code
    assert found == status and message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_run_on_a_log_and_a_library_without_clips(run, library, tmp_path, capsys, monkeypatch):
    pl.read_parquet(library / "clips.parquet")[:0].write_parquet(library / "clips.parquet")
    assert main([str(run), str(library), f"--output={tmp_path / 'new'}"]) == 1
    assert "holds no clips" in capsys.readouterr().err
    monkeypatch.setattr("mu.embedding.run.of_run", encoders.of_run)
    graph, state = nnx.split(Factorization(dim=2, rngs=nnx.Rngs(0)))
    log_run = dataclasses.replace(
        open_run(run),
        graph=graph,
        params=nnx.to_pure_dict(state),
        clips=None,
    )
    monkeypatch.setattr(encoders, "open_run", lambda workdir: log_run)
    assert main([str(run), str(library), f"--output={tmp_path / 'new'}"]) == 1
    assert "has no audio encoder to embed with: its model knows no sound" in capsys.readouterr().err
