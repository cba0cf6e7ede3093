"""A small log of one's own and the audio of its tracks as files: what tests of runs on both share."""

import numpy as np

from mu.cli import main
from mu.config.overrides import load
from tests.helpers.audio_files import write
from tests.helpers.processes import ROOT

N_LISTENERS, N_TRACKS, RATE_HZ = 30, 36, 8000
# Tracks without audio, and the day on which the last tracks come out (the log has 60 days).
SILENT, NEW_FROM, NEW_DAY = (5, 6), 30, 55
EXPERIMENT = ROOT / "experiments" / "plays_and_clips.py"
START_S = 1_700_000_000


def plays(seed=0):
    """[user,track,time,finished], a listener going round the tracks that are out, with leaps."""
    random, rows = np.random.default_rng(seed), []
    for user in range(N_LISTENERS):
        times = START_S + np.sort(random.integers(0, 60 * 24 * 3600, 30))
        place = int(random.integers(NEW_FROM))
        for time in times:
            n_out = N_TRACKS if time >= START_S + NEW_DAY * 24 * 3600 else NEW_FROM
            place = (place + 1 if random.random() < 0.7 else int(random.integers(n_out))) % n_out
            rows.append(f"u{user},t{place},{time},{int(random.random() < 0.8)}")
    return rows


def write_files(folder, rows=None):
    """plays.csv, tracks.csv, users.csv, and audio.csv with the files it names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plays.csv").write_text("\n".join(["user,track,time,finished", *(rows or plays())]) + "\n")
    released = [np.datetime64(START_S + (NEW_DAY if v >= NEW_FROM else -100) * 24 * 3600, "s") for v in range(N_TRACKS)]
    lines = [f"t{v},Song {v},Artist {v % 5},{'high' if v % 3 else 'low|dark'},{released[v]}" for v in range(N_TRACKS)]
    (folder / "tracks.csv").write_text("\n".join(["track,title,artist,tags,released", *lines]) + "\n")
    (folder / "users.csv").write_text("user,country\n" + "".join(f"u{u},c{u % 3}\n" for u in range(N_LISTENERS)))
    listed = ["file,track"]
    for track in range(N_TRACKS):
        if track not in SILENT:
            moments = np.arange(round((0.3 + 0.02 * track) * RATE_HZ)) / RATE_HZ
            pitch_hz = 200 + 40 * track + 600 * (track % 3 > 0)
            write(folder / "audio" / f"{track}.wav", 0.3 * np.sin(2 * np.pi * pitch_hz * moments), RATE_HZ)
            listed.append(f"{track}.wav,t{track}")
    write(folder / "audio" / "other.wav", 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ // 2), RATE_HZ)
    (folder / "audio.csv").write_text("\n".join([*listed, "other.wav,not of the log"]) + "\n")


def import_plays(folder, *flags, output="log"):
    """The exit status of `mu import` on the folder's files."""
    tables = [f"--track_table={folder / 'tracks.csv'}", f"--user_table={folder / 'users.csv'}"]
    words = [*tables, "--catalogue=all", "--finished=finished", f"--output={folder / output}", *flags]
    return main(["import", str(folder / "plays.csv"), *words])


def import_clips(folder):
    """The exit status of `mu import-audio` on the folder's files."""
    words = [f"--root={folder / 'audio'}", f"--output={folder / 'clips'}", "--workers=1"]
    return main(["import-audio", str(folder / "audio.csv"), *words])


TOLD = "item_columns=artist|tags,user_columns=country,tags=tags,released=released"


def config_words(folder, *more, told=TOLD, **args):
    """The words of `mu train` on the folder, so small that a run takes seconds."""
    given = {"log": folder / "log", "clips": folder / "clips"} | args
    spec = ",".join(["smoke", *(f"{key}={value}" for key, value in given.items()), *filter(None, [told])])
    small = {
        "data.sample_rate_hz": RATE_HZ,
        "data.hash_size": 64,
        "batches.crop_s": 0.25,
        "model.audio.n_mels": 16,
        "model.dim": 8,
        "batches.rows": 4,
        "batches.clips": 4,
        "batches.clips_every": 1,  # one program to compile, not two
        "evals.plays.bootstrap_samples": 20,
        "evals.plays.ks": "(3,)",
        "best.metric": "valid/plays/discovery/recall@3",
        "policy.metric": "plays/discovery/recall@3",
        "total_steps": 12,
        "evaluate_every_steps": 6,
        "checkpoint_every_steps": 6,
        "log_every_steps": 1,
    }
    return [f"--config={EXPERIMENT}:{spec}", *(f"--config.{key}={value}" for key, value in small.items()), *more]


def config_of(folder, **args):
    """The same, resolved."""
    first, *others = config_words(folder, **args)
    overrides = dict(word.removeprefix("--config.").split("=", 1) for word in others)
    return load(first.removeprefix("--config="), overrides)
