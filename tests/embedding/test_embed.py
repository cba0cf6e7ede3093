"""`mu embed`: the same file gives the same bytes, whatever else is embedded, in which order, however often killed."""

import dataclasses
import hashlib
import json
import os
import shutil

import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu.commands.embed import main
from mu.data import embeddings as table
from mu.data.clips import clips as clip_tables
from mu.embedding import encoder as encoders
from mu.embedding import shards, vector_file
from mu.embedding.run import embed
from mu.files import read_json
from mu.models.factorization import Factorization
from mu.run.evaluation import model_of
from mu.run.rebuild import rebuild
from mu.run.restore import open_run
from mu.training.state import weights
from tests.helpers.audio_files import sound, write
from tests.helpers.embeddings import RATE_HZ, SECONDS, Stopped, content, encoder_of, imported, stop_after


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
    card = read_json(library / "card.json")
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
        patch.setattr("mu.embedding.opening.of_run", as_another)
        with pytest.raises(FileExistsError, match=r"half-finished embeddings of another encoder .*delete"):
            embed(run, library, output)
        other.clear()
        other["noise_vector"] = [100.0] * 8
        with pytest.raises(FileExistsError, match="the code that computes them has changed"):
            embed(run, library, output)
    busy = vector_file.VectorFile(output / "shards" / "0-of-2" / "records.bin", 144)
    with busy, pytest.raises(FileExistsError, match="0-of-2 is being written by process"):
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
    assert read_json(tmp_path / "embeddings" / "card.json")["licence"]["note"] == "CC0"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("{nowhere} {library} --output={new}", 1, "there is no encoder"),
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
    monkeypatch.setattr("mu.embedding.opening.of_run", encoders.of_run)
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
