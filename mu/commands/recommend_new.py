"""New recordings and the listeners of a run: who would like one, which of many suit a listener; nothing is trained."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.commands.recommend import out_at
from mu.data.listening.hashed_features import hashed_features, values_of
from mu.data.listening.listening import Listening
from mu.embedding.encoder import Encoder
from mu.embedding.table import Embeddings, load
from mu.inference.track_content import TimedScores
from mu.names import closest


def listeners_of(
    data: Listening, recommender: TimedScores, content: np.ndarray, told: np.ndarray, k: int
) -> list[tuple[int, float]]:
    """(listener, share of their plays over the mean listener's) of the k who would play a new recording most.

    The recording comes out when the log ends; all plays of the log are the listeners' histories.

    Args:
      data: of the run.
      recommender: of the run.
      content: float32 [A], what the run's encoder hears in the recording (`vector_of_file`).
      told: int32 [P], what is known of it (`described`).
    """
    now_ms = int(data.end_ms)
    # How much is played, not what is to be shown: without the boost of new tracks.
    catalogue = recommender.boosted(0.0).bias_at(np.array([now_ms]))[0]
    catalogue = np.where(out_at(data, now_ms), catalogue, -np.inf)
    vectors, bias = recommender.newcomers(content[None], told[None])
    queries = recommender.queries(np.arange(data.n_users), data)
    # Beside the catalogue; among it and itself, as it will be, a share is at most 1.
    shares = -np.logaddexp(0.0, -recommender.log_share(queries, vectors, bias, catalogue)[:, 0])
    order = np.argsort(-shares, kind="stable")[:k]
    mean = np.log(np.exp(shares.astype(np.float64)).mean())
    return [(int(user), float(np.exp(shares[user] - mean))) for user in order]


def recordings_for(
    data: Listening, recommender: TimedScores, user: int, held: Embeddings, k: int
) -> list[tuple[str, float]]:
    """(clip, score) of the k recordings of a library that suit a listener best, as if they came out when the log ends.

    Args:
      data: of the run.
      recommender: of the run.
      user: of the log.
      held: recordings that this very run has embedded (`library`).
    """
    table = held.table.filter(pl.col("row") >= 0).unique("row", keep="first", maintain_order=True)
    content = np.asarray(held.vectors[table["row"].to_numpy()])
    vectors, bias = recommender.newcomers(content, np.full((len(content), 1), -1, np.int32))
    one = np.array([user])
    scores = (recommender.queries(one, data.take(one)) @ vectors.T + bias)[0]
    order = np.argsort(-scores, kind="stable")[:k]
    return [(str(table["clip"][int(row)]), float(scores[row])) for row in order]


def library(folder: str | os.PathLike[str], encoder_hash: str, workdir: str) -> Embeddings:
    """What `mu embed` wrote with this very run.

    Raises:
      ValueError: another encoder has.
    """
    held = load(folder)
    if held.card["encoder"]["hash"] != encoder_hash:
        raise ValueError(
            f"{folder} was embedded with another encoder ({held.card['encoder']['run']}, step "
            f"{held.card['encoder']['step']}); embed the library again: mu embed {workdir} LIBRARY --output=DIR"
        )
    return held


def vector_of_file(encoder: Encoder, file: str | os.PathLike[str]) -> np.ndarray:
    """float32 [A]: what the encoder hears in a file, as `mu embed` takes it.

    Raises:
      ValueError: it holds no samples, or no finite ones.
      mu.audio.io.AudioError: it cannot be decoded.
    """
    from mu.audio import io
    from mu.data.crops import cut, tile_starts
    from mu.data.faults import Fault
    from mu.inference.pooling import Tiles, clip_vectors

    sound, _ = io.read(Path(file), sample_rate_hz=encoder.sample_rate_hz)
    if not len(sound):
        raise ValueError(f"{file} holds no samples")
    _, starts = tile_starts(np.array([len(sound)]), encoder.tile_samples)
    tiles = Tiles(len(starts), *cut(sound, starts, encoder.tile_samples))
    ((_, found),) = clip_vectors(encoder.vectors, [(0, tiles)])
    if isinstance(found, Fault):
        raise ValueError(f"{file}: {found.reason}")
    return found


def described(setup: Any, about: str) -> np.ndarray:
    """int32 [P]: the words of 'column=word|word;column=word' in the run's buckets.

    A word that no track of the log has may be new, such as an artist, or mistyped: it is said on stderr.

    Raises:
      ValueError: it is not of that form, or names a column that the run is not told.
    """
    columns = list(setup.config.data.get("item_columns", ()))
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
    for name, value in named.items():
        held = values_of(setup.data.tracks, name)
        for word in filter(None, map(str.strip, value.split("|"))):
            if word not in held:
                near = ", ".join(closest(word, held, 3))
                print(f"mu recommend: no track of the log has {name} {word!r}; near it: {near}", file=sys.stderr)
    return hashed_features(
        pl.DataFrame({name: [value] for name, value in named.items()}), list(named), setup.data.hash_size
    )[0]
