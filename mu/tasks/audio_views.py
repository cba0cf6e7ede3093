"""From a batch of waveforms to an encoder's outputs: the steps that all tasks on audio share."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax

from mu.tasks.augmentations import Augmentations


class Recordings(Protocol):
    """Data with audio at one sampling rate."""

    @property
    def sample_rate_hz(self) -> int: ...


class AudioFrontEnd(Protocol):
    """Waveforms to spectrograms; `mu.models.audio_front_end.FrontEnd` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    def spectrogram(self, audio: jax.Array, samples: jax.Array) -> tuple[jax.Array, jax.Array]: ...
    def normalised(self, spectrogram: jax.Array, mask: jax.Array) -> jax.Array: ...


class AudioModel(Protocol):
    """What tasks on audio ask of a model; `mu.models.audio_encoder.AudioEncoder` is one."""

    @property
    def front_end(self) -> AudioFrontEnd: ...
    @property
    def heads(self) -> Mapping[str, Any]: ...
    def encode(self, spectrogram: jax.Array, mask: jax.Array, key: jax.Array | None) -> dict[str, jax.Array]: ...


def flat_crops(batch: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """'audio' [B, C, N] and 'samples' [B, C] -> float32 [B C, N] and int32 [B C]."""
    audio = batch["audio"]
    return audio.reshape(-1, audio.shape[-1]), batch["samples"].reshape(-1)


def augmented_waveforms(
    augment: Augmentations | None, front_end: AudioFrontEnd, audio: jax.Array, samples: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Waveforms and their lengths after the augmentations of waveforms; unchanged where `augment` is None.

    Args:
      augment: what the task applies, or None.
      front_end: knows the sampling rate.
      audio: float32 [B, N].
      samples: int32 [B], how many of the N belong to the clip.
      key: of the augmentations.
    """
    if augment is None:
        return audio, samples
    return augment.waveform(key, audio, samples, front_end.sample_rate_hz)


def spectrograms(front_end: AudioFrontEnd, audio: jax.Array, samples: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Normalised spectrograms float32 [B, F, M] of waveforms [B, N], and their frame mask bool [B, F]."""
    spectrogram, mask = front_end.spectrogram(audio, samples)
    return front_end.normalised(spectrogram, mask), mask


def encode_views(
    augment: Augmentations | None,
    encoder: AudioModel,
    audio: jax.Array,
    samples: jax.Array,
    *,
    spectrogram_key: jax.Array,
    model_key: jax.Array,
) -> dict[str, jax.Array]:
    """The encoder's outputs for waveforms [B, N], with the augmentations of spectrograms on the way.

    Args:
      augment: what the task applies, or None.
      encoder: has `front_end` and `encode`.
      audio: float32 [B, N].
      samples: int32 [B], how many of the N belong to the clip.
      spectrogram_key: of the augmentations.
      model_key: of the encoder's dropout.
    """
    spectrogram, mask = spectrograms(encoder.front_end, audio, samples)
    if augment is not None:
        spectrogram = augment.spectrogram(spectrogram_key, spectrogram)
    return encoder.encode(spectrogram, mask, model_key)


def clip_vectors(model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """{'clip': float32 [B, D]}, the clip vectors of 'audio' [B, 1, N] and 'samples' [B, 1].

    The prediction of tasks whose own heads are of no use after training.
    """
    return {"clip": clip_outputs(model, rows, batch)["clip"]}


def clip_outputs(model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """The model's outputs for whole pieces of audio, 'audio' [B, 1, N] and 'samples' [B, 1], without randomness."""
    return model(rows, {"audio": batch["audio"][:, 0], "samples": batch["samples"][:, 0]})
