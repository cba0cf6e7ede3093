"""The suite `music`: what an encoder knows of notes, genres, felt emotions, sounds, voices and words, on real sound."""

import polars as pl

from mu.embedding.probe import ProbeOptions
from mu.suite.task import Recordings, Task

EMOTIONS = (
    "mean_amazement",
    "mean_solemnity",
    "mean_tenderness",
    "mean_nostalgia",
    "mean_calmness",
    "mean_power",
    "mean_joyful_activation",
    "mean_tension",
    "mean_sadness",
)
# Of the names of Sonic Pi's samples; the others are makers, collections, or of a few samples.
SOUNDS = ("ambi", "bd", "drum", "elec", "hat", "loop", "perc", "tabla")


def named_sounds(table: pl.DataFrame) -> pl.DataFrame:
    """The samples whose name says what they are ('bd' is a bass drum), the column 'group' as 'sound'."""
    return table.filter(pl.col("group").is_in(SOUNDS)).rename({"group": "sound"})


PHILHARMONIA = Recordings(
    "philharmonia",
    "philharmonia_notes",
    "meta.csv",
    "single notes of the Philharmonia Orchestra, github skratchdot/philharmonia-samples, CC BY-SA 3.0",
)
EMOTIFY = Recordings(
    "emotify",
    "emotify",
    "tracks.csv",
    "Emotify, 400 tracks with felt emotions (Aljanaki, Wiering, Veltkamp, IP&M 2015), research only",
)
ESC10 = Recordings("esc10", "esc10", "meta.csv", "ESC-10, github karoldvl/ESC-10, CC BY 3.0", group="freesound_clip_id")
FSDD = Recordings(
    "fsdd",
    "fsdd",
    "meta.csv",
    "Free Spoken Digit Dataset, github Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0",
)
SONIC_PI = Recordings(
    "sonicpi",
    "sonicpi_cc0",
    "meta.csv",
    "samples of Sonic Pi, npm package supersonic-scsynth-samples, CC0",
    named_sounds,
)

TASKS = (
    Task(
        "notes",
        PHILHARMONIA,
        # Clip length gives the instrument away: the first second only.
        ProbeOptions(folds="fold", classes=("instrument",), numbers=("midi_pitch",)),
        ("instrument/accuracy", "numbers/pearson", "numbers/r2"),
        "15 instruments, and pitch in semitones; 5 folds that share no pitch; the first second",
        first_s=1.0,
    ),
    Task(
        "emotify",
        EMOTIFY,
        ProbeOptions(folds="10", classes=("genre",), numbers=EMOTIONS),
        ("genre/accuracy", "numbers/pearson", "numbers/r2"),
        "4 genres, and nine felt emotions (mean over them); 10 folds by track",
    ),
    Task(
        "esc10",
        ESC10,
        ProbeOptions(folds="fold", classes=("class",), group="freesound_clip_id"),
        ("class/accuracy",),
        "10 environmental sounds; official 5 folds",
    ),
    Task(
        "speaker",
        FSDD,
        # The take decides the fold, as it decides the official test part (takes 0 to 4).
        ProbeOptions(folds="10", classes=("speaker",), group="index"),
        ("speaker/accuracy",),
        "6 speakers; 10 folds by take",
    ),
    Task(
        "digit",
        FSDD,
        ProbeOptions(folds="speaker", classes=("digit",), group="speaker"),
        ("digit/accuracy",),
        "10 spoken digits; leave one of 6 speakers out",
    ),
    Task(
        "percussion",
        SONIC_PI,
        ProbeOptions(folds="5", classes=("sound",)),
        ("sound/accuracy", "sound/f1"),
        "8 kinds of percussion and loops, by name; 5 folds",
    ),
)
