"""Probes of an encoder that has learnt from some of the clips: refused, left out or marked, on a run of its own."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from mu.commands.compare import main as compare
from mu.commands.probe import main
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.embedding.run import embed
from mu.evals.results import load
from mu.files import hash_file, read_json, write_json
from mu.run.learnt import learnt_from
from tests.helpers.audio_clips import RATE_HZ, make_clips, tiny_audio_config
from tests.helpers.audio_files import write
from tests.helpers.tiny_runs import train

N = 48


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    """(run on three quarters of a library's clips, the library, its embeddings)."""
    folder = tmp_path_factory.mktemp("seen")
    clips = make_clips(N)
    for row in range(N):
        write(folder / "audio" / clips.table["file"][row], clips.store.waveforms[row] / 32768, RATE_HZ)
    table = clips.table.select("file", "pitch", "tags", tape=pl.int_range(N).cast(pl.String))
    table.write_csv(folder / "meta.csv")
    options = AudioImportOptions(workers=1, root=str(folder / "audio"), keep=("truncated", "silent"))
    import_audio(str(folder / "meta.csv"), folder / "library", options)
    data = {"name": "mu.data.clips.clips:load", "path": str(folder / "library"), "sample_rate_hz": RATE_HZ}
    config = tiny_audio_config(total_steps=2, evaluate_every_steps=2, data=data | {"classes": ("pitch",)})
    train(config, folder / "run")
    embed(folder / "run", folder / "library", folder / "embeddings")
    return folder


def call(folder, *flags, embeddings="embeddings"):
    """The status of `mu probe`."""
    words = [str(folder / embeddings), f"--library={folder / 'library'}", "--classes=pitch", "--folds=3"]
    return main([*words, "--bootstrap_samples=20", *flags])


def test_embeddings_know_what_the_run_has_learnt_from(setup):
    learnt = learnt_from(setup / "run")
    card = json.loads((setup / "embeddings" / "card.json").read_text())["encoder"]["trained_on"]
    assert learnt.targets == {"pitch"} and card["targets"] == ["pitch"] and card["split"] == learnt.split
    assert set(card["recordings"]) == learnt.recordings and 20 <= len(card["recordings"]) < 30  # two of four folds


def test_clips_that_it_has_learnt_from_are_refused(setup, capsys):
    n = len(learnt_from(setup / "run").recordings)
    assert call(setup) == 1
    said = capsys.readouterr().err
    assert f"the encoder has learnt pitch from {n} of these {N} clips ({setup / 'run'}, split " in said
    assert f"--seen=leave_out probes the other {N - n} alone" in said and "--seen=keep" in said


def test_they_are_left_out_or_marked(setup, tmp_path, capsys):
    n = len(learnt_from(setup / "run").recordings)
    assert call(setup, "--seen=leave_out", f"--output={tmp_path / 'honest'}") == 0
    printed = capsys.readouterr().out
    assert (
        f"{N - n} clips; " in printed and f"{n} clips are left out: the encoder has learnt pitch from them" in printed
    )
    assert not set(load(tmp_path / "honest" / "seed0").results["model"].units) & {
        clip
        for clip, key in pl.read_parquet(setup / "library" / "clips.parquet").select("clip", "content_hash").iter_rows()
        if key in learnt_from(setup / "run").recordings
    }
    assert call(setup, "--seen=keep", f"--output={tmp_path / 'flattered'}") == 0
    note = f"the encoder has learnt pitch from {n} of these {N} clips: this says nothing of clips that it does not know"
    assert note in capsys.readouterr().out
    assert json.loads((tmp_path / "flattered" / "probe.json").read_text())["note"] == note
    assert compare([str(tmp_path / "flattered" / "seed0")] * 2) == 0
    assert f"Note: {note}\n" in capsys.readouterr().out


def test_clips_of_the_same_group_are_the_same(setup, tmp_path, capsys):
    """Every tape holds a clip that was learnt from."""
    shutil.copytree(setup / "library", tmp_path / "library")
    shutil.copytree(setup / "embeddings", tmp_path / "embeddings")
    clips = pl.read_parquet(tmp_path / "library" / "clips.parquet")
    known = clips["content_hash"].is_in(list(learnt_from(setup / "run").recordings)).to_numpy()
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    tape = np.empty(N, np.int64)
    tape[order] = np.arange(N) % known.sum()
    clips.with_columns(tape=pl.Series(tape).cast(pl.String)).write_parquet(tmp_path / "library" / "clips.parquet")
    card = read_json(tmp_path / "library" / "card.json")
    card["clips_sha256"] = hash_file(tmp_path / "library" / "clips.parquet")
    write_json(tmp_path / "library" / "card.json", card)
    assert call(tmp_path, "--group=tape") == 1
    said = capsys.readouterr().err
    assert f"and {N - known.sum()} more are of the same tape" in said and "none are left" in said
    assert call(tmp_path, "--seen=leave_out", "--group=tape") == 1


def test_what_is_not_known_is_said(setup, tmp_path, capsys):
    shutil.copytree(setup / "embeddings", tmp_path / "embeddings")
    file = tmp_path / "embeddings" / "card.json"
    card = read_json(file)
    del card["encoder"]["trained_on"]
    write_json(file, card)
    shutil.copytree(setup / "library", tmp_path / "library")
    assert call(tmp_path) == 0
    assert "what the encoder has learnt from is not known: it may know these clips" in capsys.readouterr().out


def test_a_run_knows_what_it_started_from(setup, tmp_path):
    shutil.copytree(setup / "run", tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    config = read_json(file)
    config["task"] = {"name": "mu.tasks.masked:MaskedSpectrogram"}
    write_json(file, config)
    alone = learnt_from(tmp_path / "run")
    assert alone.targets == frozenset() and alone.recordings
    write_json(file, config | {"init_from": str(setup / "run")})
    assert learnt_from(tmp_path / "run").targets == {"pitch"}
    write_json(file, config | {"init_from": str(tmp_path / "gone")})
    assert learnt_from(tmp_path / "run").recordings is None
