"""Recordings of a library that fit words, by an encoder that has learnt sound and words in one space."""

import dataclasses

import numpy as np

from mu.data.embeddings import Embeddings
from mu.embedding.encoder import hash_of
from mu.inference.text_similarity import text_similarity
from mu.ngrams import ngram_rows
from mu.protocols import DeclaresText
from mu.run.restore import open_run


@dataclasses.dataclass(frozen=True)
class Match:
    """A recording that fits a text.

    Attributes:
      clip: its name in the library.
      cosine: between its sound and the text, -1 to 1.
      duration_s: of the recording.
    """

    clip: str
    cosine: float
    duration_s: float


def search(embeddings: Embeddings, text: str, k: int) -> list[Match]:
    """The k recordings whose sound is nearest to the text, the nearest first; clips of equal content count once.

    A recording's place among words is that of its clip vector, the mean over its tiles.

    Args:
      embeddings: of a library, by the encoder of a run of `mu.tasks.audio_text:AudioText`.
      text: words; words that training has not seen are read by their n-grams.
      k: how many, at most.

    Raises:
      FileNotFoundError: the encoder's run is gone.
      ValueError: the text has no word; the encoder is no run, is no longer the one that embedded the library, or has
        learnt no words.
    """
    query = ngram_rows([text])
    if (query < 0).all():
        raise ValueError(f"{text!r} has no word to search for")
    encoder = embeddings.card["encoder"]
    if "licence" in encoder:
        raise ValueError(
            f"{encoder['run']} holds published weights, which know no words: embed with a run of AudioText"
        )
    run = open_run(encoder["run"])
    if not isinstance(run.task, DeclaresText) or run.task.text_task is None:
        raise ValueError(
            f"{encoder['run']} has learnt no words: train it with task.name='mu.tasks.audio_text:AudioText'"
        )
    if hash_of(run) != encoder["hash"]:
        raise ValueError(f"{encoder['run']} has learnt on since the library was embedded: embed it again")
    scores = text_similarity(run.graph, run.task.text_task, run.params, np.asarray(embeddings.vectors), query)[:, 0]
    first = embeddings.table.unique("row", keep="first", maintain_order=True)
    best = np.argsort(-scores[first["row"].to_numpy()], kind="stable")[:k]
    return [
        Match(clip, float(scores[row]), duration_s)
        for clip, row, duration_s in first[best].select("clip", "row", "duration_s").iter_rows()
    ]
