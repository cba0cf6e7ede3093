"""From what a user names to an encoder: a run, a folder of published weights, a baseline, or one's own class."""

import os
from pathlib import Path
from typing import Any

from mu.embedding.baselines import NAMED, TileEncoder, card_of, of_baseline
from mu.embedding.encoder import of_pretrained, of_run
from mu.names import is_path, locate, nearest
from mu.pretrained.folder import is_pretrained

Opened = tuple[TileEncoder, dict[str, Any]]
"""(encoder, its card, JSON): see `mu.embedding.encoder.of_run`."""


def open_encoder(name: str | os.PathLike[str]) -> Opened:
    """The encoder of this name, and its card.

    Args:
      name: a baseline (`mu.embedding.baselines.NAMED`), 'random=SEED' for other random weights; a run of `mu train` on
        audio; a folder of published weights (`mu.pretrained.folder`); or 'package.module:attribute', which is called
        without arguments and returns a `TileEncoder`. A folder called like a baseline is './mfcc'.

    Raises:
      FileNotFoundError: there is nothing of this name; or a run without an evaluated checkpoint.
      ValueError: it is no encoder, or its files are damaged.
    """
    text = os.fspath(name)
    baseline, equals, seed = text.partition("=")
    if baseline in NAMED and not equals:
        return of_baseline(baseline)
    if baseline == "random" and seed.isdecimal():
        return of_baseline(baseline, int(seed))
    if is_pretrained(text):
        return of_pretrained(text)
    if Path(text).exists():
        return of_run(text)
    if is_path(text):
        return _own(text)
    raise FileNotFoundError(
        f"there is no encoder {text!r}{nearest(text, NAMED)}: it takes a run of `mu train`, a folder of published "
        f"weights, package.module:attribute, or a baseline: {', '.join(NAMED)}"
    )


def _own(path: str) -> Opened:
    """An encoder of the user's own."""
    make = locate(path)
    if not callable(make):
        raise ValueError(f"{path} is a {type(make).__name__}; it must be a class or a function that returns an encoder")
    encoder: Any = make()
    wanted = ("sample_rate_hz", "tile_samples", "at_once", "dim", "vectors")
    if missing := [attribute for attribute in wanted if not hasattr(encoder, attribute)]:
        raise ValueError(
            f"{path} gives a {type(encoder).__name__} without {', '.join(missing)}: see "
            "mu.embedding.baselines:TileEncoder for what an encoder has"
        )
    return encoder, card_of(path, encoder)
