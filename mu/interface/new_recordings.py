"""Recordings that training never saw: their audience, and which of them suit a listener."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from mu.audio.io import resample
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.data.user_names import find_users
from mu.embedding.cold_start import (
    described,
    listeners_of,
    open_embedded,
    recordings_for,
)
from mu.embedding.encoder import clip_encoder, hash_of
from mu.embedding.recording import vector_of_audio, vector_of_file
from mu.inference.clip_encoder import ClipEncoder
from mu.run.restore import TrainedRun
from mu.topk import refuse_other_k

logger = logging.getLogger(__name__)


def audience(
    run: TrainedRun,
    recommender: Any,
    log: Interactions,
    audio: Any,
    k: int,
    about: str | Mapping[str, Any],
    sample_rate_hz: int | None,
    time_ms: int | None,
) -> pl.DataFrame:
    """See `mu.interface.run.Run.audience`; `time_ms` is its moment, None for the end of the log."""
    refuse_other_k(k)
    run.refuse_without_audio()
    summary = run.log
    assert summary is not None and isinstance(log, Listening)
    description = described(summary, about)
    for column, value, near in description.unknown:
        logger.warning("no track of the log has %s %r; near it: %s", column, value, ", ".join(near))
    content = content_of(clip_encoder(run), audio, sample_rate_hz)
    data = log if time_ms is None else log.where(log.times <= time_ms)
    listeners = listeners_of(
        data, recommender, content, description.features, k, description.numbers, description.artist
    )
    columns = ["user", *(name for name in summary.user_columns if name in log.users.columns)]
    frame = log.users.select(columns)[[user for user, _ in listeners]]
    frame = frame.insert_column(0, pl.Series("rank", np.arange(1, len(frame) + 1)))
    return frame.insert_column(2, pl.Series("times_mean", [share for _, share in listeners], dtype=pl.Float64))


def content_of(encoder: ClipEncoder, audio: Any, sample_rate_hz: int | None) -> np.ndarray:
    """float32 [A]: the clip vector of a file, or of a waveform float [S] at a sample rate."""
    if isinstance(audio, str | os.PathLike):
        return vector_of_file(encoder, audio)
    waveform = np.asarray(audio, np.float32)
    if waveform.ndim != 1:
        raise ValueError(
            f"audio has the shape {waveform.shape}; a waveform is mono, [samples]: take the mean of its channels"
        )
    if sample_rate_hz is None:
        raise ValueError("a waveform needs its sample_rate_hz")
    return vector_of_audio(encoder, resample(waveform, sample_rate_hz, encoder.sample_rate_hz), "the waveform")


def recordings(
    run: TrainedRun, recommender: Any, log: Interactions, user: Any, library: str | os.PathLike[str], k: int
) -> pl.DataFrame:
    """See `mu.interface.run.Run.recordings`."""
    refuse_other_k(k)
    run.refuse_without_audio()
    assert isinstance(log, Listening)
    embedded = open_embedded(library, hash_of(run), str(run.folder))
    best = recordings_for(log, recommender, int(find_users(log.users, [user])[0]), embedded, k)
    frame = pl.DataFrame(best, schema={"clip": pl.String, "score": pl.Float64}, orient="row")
    return frame.insert_column(0, pl.Series("rank", np.arange(1, len(frame) + 1)))
