"""What `mu report` reads of a run on plays and the sound of their tracks."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mu.commands.recommend import recommender_of, track_titles
from mu.commands.report import logged, words_of
from mu.report.listening_run import ListeningRun

# Points of the map.
MOST_TRACKS = 1500


def read_listening(place: str | os.PathLike[str]) -> ListeningRun:
    """The run as its page shows it; what needs data or model is left out where these are gone, and `problems` says why.

    Raises:
      FileNotFoundError: no such run.
    """
    folder = Path(place)
    about = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    problems: list[str] = []
    parts: dict[str, Any] = {
        "story": None,
        "newcomer": None,
        "vectors": None,
        "labels": (),
        "label_name": "",
        "titles": (),
        "pieces": {},
    }
    try:
        parts |= _computed(folder)
    except (OSError, ValueError) as error:
        problems.append(f"Without listeners, tracks and map: {error}")
    return ListeningRun(
        title=folder.resolve().name,
        facts=_facts(about, config, json.loads((folder / "run.json").read_text())),
        config=json.dumps(config, indent=2, ensure_ascii=False),
        curves={"": [_shown(line) for line in logged(folder / "metrics.jsonl")]},
        chosen=config["best"]["metric"],
        step=about["step"],
        about=about,
        problems=problems,
        **parts,
    )


def _computed(folder: Path) -> dict[str, Any]:
    """What is computed from the model: the story, the new track, the map."""
    from mu.report.story import Narrator, coloured_by
    from mu.setup import restore

    setup, state, _ = restore(folder)
    recommender = recommender_of(folder, setup, state)
    titles = track_titles(setup.data.tracks)
    narrator = Narrator(setup, recommender, titles)
    story, newcomer = narrator.story(), narrator.newcomer()
    shown = [] if story is None else [*story.history, *story.recommended]
    shown += [] if newcomer is None else [newcomer.shown]
    rows = np.unique(np.linspace(0, len(titles) - 1, min(len(titles), MOST_TRACKS)).astype(np.int64))
    column = coloured_by(setup.data.tracks)
    return {
        "story": story,
        "newcomer": newcomer,
        "vectors": recommender.vectors[rows],
        "labels": [str(value) for value in setup.data.tracks[column].gather(rows).to_list()],
        "label_name": column,
        "titles": [titles[row] for row in rows],
        "pieces": narrator.pieces({one.track for one in shown}),
    }


def _facts(about: dict[str, Any], config: dict[str, Any], made: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of what was run, where and when."""
    card = made["data_card"]
    audio = card.get("audio")
    found = [
        ("Model", words_of(config["model"])),
        ("Task", words_of(config["task"])),
        (
            "Data",
            f"{card.get('users', 0):,} listeners, {card.get('tracks', 0):,} tracks, {card.get('events', 0):,} plays",
        ),
        ("Audio", f"of {audio['tracks_with']:,} tracks, none of {audio['tracks_without']:,}" if audio else None),
        ("Split", words_of(config["split"])),
        ("Steps", f"{about['step']:,} of {config['total_steps']:,}"),
        ("Seed", f"{config['seed']}"),
        ("Commit", made.get("commit") or "outside git"),
        ("Started", made.get("started")),
        ("Machine", f"{made['machine']}, {made['cpus']} processors; {', '.join(made['devices'])}"),
        ("Versions", f"Python {made['python']}, jax {made['versions']['jax']}, flax {made['versions']['flax']}"),
    ]
    return [(name, value) for name, value in found if value]


def _shown(line: dict[str, float]) -> dict[str, float]:
    """A line of the log without the sections that hold plays of others once more: so many curves say nothing."""
    return {name: value for name, value in line.items() if not name.startswith(("valid/discovery,", "valid/new: "))}
