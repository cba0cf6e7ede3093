"""Recommending recordings that training never saw: who would play one, which of a library suit a user."""

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from mu.data.embeddings import Embeddings, load
from mu.data.listening.hashed_features import hashed_features, values_of
from mu.data.listening.listening import Listening
from mu.data.summary import LogSummary
from mu.inference.time_aware import TimeAwareRecommender
from mu.names import closest


class Description(NamedTuple):
    """Features of a new recording from its description.

    Attributes:
      features: int32 [P], as the run hashes them.
      numbers: float64 [F], the run's numeric features, NaN where the description says nothing of one.
      artist: as the description has it, in a run with `data.earlier_tracks`; '' where it names none.
      unknown: (column, value, near values) of values that no track of the log has: new, such as an artist, or mistyped.
    """

    features: np.ndarray
    numbers: np.ndarray
    artist: str
    unknown: list[tuple[str, str, list[str]]]


def listeners_of(
    data: Listening,
    recommender: TimeAwareRecommender,
    content: np.ndarray,
    item_features: np.ndarray,
    k: int,
    item_numbers: np.ndarray | None = None,
    artist: str = "",
) -> list[tuple[int, float]]:
    """(user, share of their plays over the mean user's) of the k users who would play a new recording most.

    The recording comes out when the log ends; all plays of the log are the users' histories.

    Args:
      data: the whole log of the run.
      recommender: of the run.
      content: float32 [A], the recording's clip vector (`mu.embedding.recording.vector_of_file`).
      item_features: int32 [P], its hashed features (`described`).
      k: how many, at most.
      item_numbers: float64 [F], its numeric features, NaN for missing; None for all missing.
      artist: whose earlier tracks stand for the row that it lacks, in a run that has them; '' for nobody known.
    """
    now_ms = int(data.end_ms)
    # How much is played, not what is to be shown: without the boost of new releases.
    recommender = recommender.with_policy(recommender.policy.without_boost())
    catalogue = recommender.item_bias(np.array([now_ms]))[0]
    catalogue = np.where(data.released_ms <= now_ms, catalogue, -np.inf)
    earlier = None
    if artist and data.artist is not None:
        earlier = data.earlier_of(artist, np.asarray(recommender.rows["plays"])[:, 0] > 0)[None]
    vectors, bias = recommender.cold_start(
        content[None], item_features[None], None if item_numbers is None else item_numbers[None], earlier
    )
    queries = recommender.queries(np.arange(data.n_users), data)
    # Beside the catalogue; among it and itself, as it will be, a share is at most 1.
    shares = -np.logaddexp(0.0, -recommender.log_share(queries, data, vectors, bias, catalogue)[:, 0])
    order = np.argsort(-shares, kind="stable")[:k]
    mean = np.log(np.exp(shares.astype(np.float64)).mean())
    return [(int(user), float(np.exp(shares[user] - mean))) for user in order]


def recordings_for(
    data: Listening, recommender: TimeAwareRecommender, user: int, library: Embeddings, k: int
) -> list[tuple[str, float]]:
    """(clip, score) of the k recordings of a library that suit a user best, as if they came out when the log ends.

    Args:
      data: the whole log of the run.
      recommender: of the run.
      user: of the log.
      library: recordings that this very run has embedded (`open_embedded`).
      k: how many, at most.
    """
    table = library.table.filter(pl.col("row") >= 0).unique("row", keep="first", maintain_order=True)
    content = np.asarray(library.vectors[table["row"].to_numpy()])
    vectors, bias = recommender.cold_start(content, np.full((len(content), 1), -1, np.int32))
    one = np.array([user])
    scores = (recommender.queries(one, data.take(one)) @ vectors.T + bias)[0]
    order = np.argsort(-scores, kind="stable")[:k]
    return [(str(table["clip"][int(row)]), float(scores[row])) for row in order]


def open_embedded(folder: str | os.PathLike[str], encoder_hash: str, workdir: str) -> Embeddings:
    """The embeddings that `mu embed` made with this very run.

    Raises:
      ValueError: another encoder made them.
    """
    library = load(folder)
    if library.card["encoder"]["hash"] != encoder_hash:
        raise ValueError(
            f"{folder} was embedded with another encoder ({library.card['encoder']['run']}, step "
            f"{library.card['encoder']['step']}); embed the library again: mu embed {workdir} LIBRARY --output=DIR"
        )
    return library


def described(log: LogSummary, about: str | Mapping[str, Any]) -> Description:
    """The features of a recording from its description.

    Args:
      log: of the run.
      about: column -> value, or a list of values, None for one that is not known; or a text
        'column=value|value;column=value'. Empty for nothing.

    Raises:
      ValueError: a text has not that form; or it names a column that the run's model is not given, or a number is none.
    """
    if isinstance(about, str):
        parts = [part for part in about.split(";") if part.strip()]
        pairs = [part.partition("=") for part in parts]
        wrong = [part for part, (_, equals, _) in zip(parts, pairs, strict=True) if not equals]
        named = {name.strip(): value.strip() for name, _, value in pairs}
    else:
        wrong = []
        listed = {
            name: [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
            for name, value in about.items()
        }
        known = {name: [str(value) for value in values if value is not None] for name, values in listed.items()}
        named = {name: "|".join(values) for name, values in known.items()}
    columns = (*log.item_columns, *log.number_columns)
    columns += (log.artist,) if log.artist is not None and log.artist not in columns else ()
    if faulty := [*wrong, *(name for name in named if name not in columns)]:
        raise ValueError(
            f"about={about!r}: {faulty[0]!r} is no column=value of tracks that this run's model is given; write "
            "column=value|value;column=value with the columns "
            f"{', '.join(columns) or '(it has none)'}"
        )
    artist = "" if log.artist is None else named.get(log.artist, "")
    new = []
    if log.artist is not None and log.artist not in log.item_columns and named.pop(log.artist, ""):
        artists = values_of(log.tracks, log.artist)
        new += [(log.artist, artist, closest(artist, artists, 3))] if artist not in artists else []
    numbers = np.full(len(log.item_numbers), np.nan)
    for place, name in enumerate(log.number_columns):
        numbers[place] = _number(name, named.pop(name, ""))
    if not named:
        return Description(np.full(1, -1, np.int32), numbers, artist, new)
    for name, value in named.items():
        values = values_of(log.tracks, name)
        words = filter(None, map(str.strip, value.split("|")))
        new += [(name, word, closest(word, values, 3)) for word in words if word not in values]
    table = pl.DataFrame({name: [value] for name, value in named.items()})
    return Description(hashed_features(table, list(named), log.hash_size)[0], numbers, artist, new)


def _number(name: str, text: str) -> float:
    try:
        value = float(text) if text else np.nan
    except ValueError:
        value = np.inf
    if np.isinf(value):
        raise ValueError(f"about: {name}={text!r} is no number, and {name} is a numeric feature")
    return value
