"""New recordings and the listeners of a run: who would like one, which of many suit a listener; nothing is trained."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.data.listening import Listening
from mu.data.words import words


def listeners_of(
    workdir: str, setup: Any, state: Any, audio: str | os.PathLike[str], about: str, k: int
) -> list[tuple[int, float]]:
    """(listener, share of their plays over the mean listener's) of the k who would play a new recording most.

    Args:
      workdir: of the run.
      setup, state: of `mu.setup.restore`.
      audio: the recording, of any length.
      about: what is known of it, 'artist=Nova;tags=bright|calm': columns of the tracks' table and their words.

    Raises:
      ValueError: the run hears nothing; `about` names what the run was never told.
      mu.audio.io.AudioError: the file cannot be decoded.
    """
    from mu.embedding.encoder import of_run

    data = _listening(setup, workdir)
    encoder, _ = of_run(workdir)
    content = vector_of_file(encoder, audio)[None]
    recommender = setup.evaluation.recommender(state)
    vectors, bias = recommender.newcomers(content, words_of(setup, about)[None])
    histories = setup.split.train.merged(setup.split.valid).merged(setup.split.test)
    users = np.arange(data.n_users)
    shares = recommender.log_share(recommender.queries(users, histories), vectors, bias)[:, 0]
    order = np.argsort(-shares, kind="stable")[:k]
    mean = np.log(np.exp(shares.astype(np.float64)).mean())
    return [(int(user), float(np.exp(shares[user] - mean))) for user in order]


def recordings_for(
    workdir: str, setup: Any, state: Any, user: int, embeddings: str | os.PathLike[str], k: int
) -> list[tuple[str, float]]:
    """(clip, score) of the k recordings of a library that suit a listener best.

    Args:
      workdir, setup, state: as of `listeners_of`.
      user: of the log.
      embeddings: the folder that `mu embed` wrote with this very run.

    Raises:
      ValueError: the run hears nothing; the embeddings are another encoder's.
    """
    from mu.embedding.encoder import of_run
    from mu.embedding.table import load

    _listening(setup, workdir)
    held = load(embeddings)
    _, card = of_run(workdir)
    if held.card["encoder"]["hash"] != card["hash"]:
        raise ValueError(
            f"{embeddings} was embedded with another encoder ({held.card['encoder']['run']}, step "
            f"{held.card['encoder']['step']}); embed the library again: mu embed {workdir} LIBRARY --output=DIR"
        )
    recommender = setup.evaluation.recommender(state)
    table = held.table.filter(pl.col("row") >= 0).unique("row", keep="first", maintain_order=True)
    content = np.asarray(held.vectors[table["row"].to_numpy()])
    vectors, bias = recommender.newcomers(content, np.full((len(content), 1), -1, np.int32))
    histories = setup.split.train.merged(setup.split.valid).merged(setup.split.test)
    one = np.array([user])
    scores = (recommender.queries(one, histories.take(one)) @ vectors.T + bias)[0]
    order = np.argsort(-scores, kind="stable")[:k]
    return [(str(table["clip"][int(row)]), float(scores[row])) for row in order]


def vector_of_file(encoder: Any, file: str | os.PathLike[str]) -> np.ndarray:
    """float32 [A]: what the encoder hears in a file, the mean over its tiles as `mu embed` takes it."""
    from mu.audio import io
    from mu.data.clip_batches import tile_starts
    from mu.embedding.encoder import TILES

    audio, _ = io.read(Path(file), sample_rate_hz=encoder.sample_rate_hz)
    if not len(audio):
        raise ValueError(f"{file} holds no samples")
    _, starts = tile_starts(np.array([len(audio)]), encoder.tile_samples)
    total, heard = np.zeros(encoder.dim), 0
    for first in range(0, len(starts), TILES):
        tiles = [audio[start : start + encoder.tile_samples] for start in starts[first : first + TILES]]
        samples = np.array([len(tile) for tile in tiles], np.int32)
        padded = np.stack([np.pad(tile, (0, encoder.tile_samples - len(tile))) for tile in tiles])
        total += samples @ encoder.vectors(padded, samples).astype(np.float64)
        heard += int(samples.sum())
    return (total / heard).astype(np.float32)


def words_of(setup: Any, about: str) -> np.ndarray:
    """int32 [P]: the words of 'column=word|word;column=word' in the run's buckets.

    Raises:
      ValueError: it is not of that form, or names a column that the run is not told.
    """
    columns = list(setup.config.data.get("track_words", ()))
    pairs = dict(part.split("=", 1) for part in about.split(";") if "=" in part)
    wrong = [part for part in about.split(";") if part.strip() and "=" not in part]
    unknown = [name for name in pairs if name.strip() not in columns]
    if wrong or unknown:
        raise ValueError(
            f"--about={about!r}: {(wrong or unknown)[0]!r} is none of what this run is told of tracks; write "
            f"column=word|word;column=word with the columns {', '.join(columns) or '(it is told nothing)'}"
        )
    named = {name.strip(): value.strip() for name, value in pairs.items()}
    if not named:
        return np.full(1, -1, np.int32)
    return words(pl.DataFrame({name: [value] for name, value in named.items()}), list(named), setup.data.buckets)[0]


def _listening(setup: Any, workdir: str) -> Listening:
    if not isinstance(setup.data, Listening) or "content" not in setup.model_tables:
        raise ValueError(f"{workdir} is no run on plays and audio: it cannot hear new recordings")
    return setup.data
