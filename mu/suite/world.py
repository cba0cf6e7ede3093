"""The suite `world`: what an encoder knows of the world's music, of which everything is known (`mu world-music`)."""

import dataclasses

from mu.embedding.probe import ProbeOptions
from mu.suite.task import Recordings, Retrieval, Task

FOLDER = "world_music"
WORKS = Recordings(
    "world_music",
    FOLDER,
    "tracks.csv",
    f"made in minutes by `mu world-music --output=DATA/{FOLDER} --works=60 --versions=3 --seed=0`, DATA being --data",
    group="work",
)
FOLDS = "folds that share no work"
NUMBERS = ("numbers/pearson", "numbers/r2")


def _task(name: str, predicts: ProbeOptions, metrics: tuple[str, ...], protocol: str) -> Task:
    predicts = dataclasses.replace(predicts, group="work")
    return Task(name, WORKS, predicts, metrics, f"{protocol}; 5 {FOLDS}")


TASKS = (
    _task("tempo", ProbeOptions("fold", numbers=("log2_tempo",)), NUMBERS, "log2 of the tempo"),
    _task("key", ProbeOptions("fold", classes=("key",)), ("key/accuracy",), "24 keys"),
    _task("tonic", ProbeOptions("fold", classes=("tonic",)), ("tonic/accuracy",), "12 tonics"),
    _task("mode", ProbeOptions("fold", classes=("mode",)), ("mode/accuracy", "mode/f1"), "major or minor"),
    _task(
        "instruments",
        ProbeOptions("fold", tags=("instruments",)),
        ("instruments/roc_auc", "instruments/average_precision"),
        "13 instruments, several a track",
    ),
    _task("energy", ProbeOptions("fold", numbers=("energy",)), NUMBERS, "energy in (0, 1)"),
    _task("valence", ProbeOptions("fold", numbers=("valence",)), NUMBERS, "valence in (0, 1)"),
    _task("style", ProbeOptions("fold", classes=("style",)), ("style/accuracy", "style/f1"), "8 styles of artists"),
    Retrieval(
        "versions",
        WORKS,
        "work",
        "mean average precision of the other versions of a work among all tracks, by cosines of standardised vectors",
    ),
)
