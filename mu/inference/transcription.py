"""Notes of recordings of any length, by a network that sees tiles of one length."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.audio.io import AudioError, read
from mu.inference.note_events import NOTE_THRESHOLD, ONSET_THRESHOLD, note_events

HOP_SAMPLES = 256
# Frames of each tile's ends that are thrown away: what the network says there lacks its neighbours.
EDGE_FRAMES = 15
LOWEST_MIDI = 21
TILES = 4
POSTERIORGRAMS = ("notes", "onsets", "contours")


@dataclasses.dataclass(frozen=True, eq=False)
class Transcription:
    """The notes of a recording, by start, then by pitch.

    Attributes:
      start_s: float64 [n].
      end_s: float64 [n].
      midi_pitch: int64 [n], 69 is A4 = 440 Hz.
      amplitude: float64 [n], between 0 and 1: the mean probability of the pitch over the note.
      duration_s: of the recording.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    midi_pitch: np.ndarray
    amplitude: np.ndarray
    duration_s: float

    def __len__(self) -> int:
        return len(self.start_s)


class Transcriber:
    """Recordings to notes with Basic Pitch (Bittner et al. 2022, arXiv:2203.09893).

    Tiles overlap by 30 frames of 256 samples, of which 15 are thrown away at each end. Tile t of N samples begins at
    sample t (N - 7,680) - 3,840, and its frame f is centred 256 f samples later. A tile's share, 142 frames of 256
    samples, is a little longer than the step of 36,164 samples: the frames of two tiles overlap by less than one frame,
    and times are those of their own tile. What is sounding in the tile alone sets its level, as in training.

    Args:
      graph: of a model that gives `POSTERIORGRAMS` for 'audio' [B, N], such as `mu.models.basic_pitch`.
      params: its values.
      sample_rate_hz: of the audio.
      tile_samples: N.
      tiles: B, that are computed at once.

    Raises:
      ValueError: the model does not give `POSTERIORGRAMS`.
    """

    def __init__(self, graph: nnx.GraphDef, params: Any, *, sample_rate_hz: int, tile_samples: int, tiles: int = TILES):
        self.sample_rate_hz, self.tile_samples, self._tiles = sample_rate_hz, tile_samples, tiles
        self._step = tile_samples - 2 * EDGE_FRAMES * HOP_SAMPLES
        self._params = jax.device_put(params)

        def compute(params: Any, audio: jax.Array, names: tuple[str, ...]) -> dict[str, jax.Array]:
            samples = jax.numpy.full(len(audio), tile_samples, jax.numpy.int32)
            outputs = nnx.merge(graph, params)({}, {"audio": audio, "samples": samples})
            if missing := [name for name in POSTERIORGRAMS if name not in outputs]:
                raise ValueError(
                    f"the model gives {', '.join(outputs)}, and no {' and no '.join(missing)}: it is no transcriber"
                )
            return {name: outputs[name] for name in names}

        self._compute = jax.jit(compute, static_argnames="names")
        audio = jax.ShapeDtypeStruct((tiles, tile_samples), jax.numpy.float32)
        jax.eval_shape(functools.partial(compute, names=POSTERIORGRAMS), self._params, audio)

    def posteriorgrams(self, audio: np.ndarray, names: Sequence[str] = POSTERIORGRAMS) -> dict[str, np.ndarray]:
        """The network's probabilities over a whole recording.

        Args:
          audio: float32 [samples] at `sample_rate_hz`.
          names: of `POSTERIORGRAMS`, at least one: those to compute.

        Returns:
          of `names`: 'notes' float32 [F, 88], 'onsets' [F, 88], 'contours' [F, 264]; 'times_s' float64 [F], the middle
          of each frame. All frames whose middle lies before the end of the sound.

        Raises:
          ValueError: there are no samples, or some are not finite, or a name is unknown.
        """
        if not names or not set(names) <= set(POSTERIORGRAMS):
            raise ValueError(f"names={tuple(names)}: it takes some of {', '.join(POSTERIORGRAMS)}")
        if audio.ndim != 1 or not len(audio):
            raise ValueError(f"audio {audio.shape}: it must be one waveform [samples], with at least one")
        if not np.isfinite(audio).all():
            raise ValueError("the audio holds samples that are infinite or no numbers")
        audio = np.concatenate([np.zeros(EDGE_FRAMES * HOP_SAMPLES, np.float32), audio.astype(np.float32, copy=False)])
        starts = np.arange(0, len(audio), self._step)
        parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for first in range(0, len(starts), self._tiles):
            tiles = np.zeros((self._tiles, self.tile_samples), np.float32)
            for row, start in enumerate(starts[first : first + self._tiles]):
                piece = audio[start : start + self.tile_samples]
                tiles[row, : len(piece)] = piece
            outputs = jax.device_get(self._compute(self._params, jax.device_put(tiles), names=tuple(names)))
            for name, values in outputs.items():
                parts[name].append(values[:, EDGE_FRAMES:-EDGE_FRAMES])
        whole = {name: np.concatenate(part)[: len(starts)] for name, part in parts.items()}
        per_tile = next(iter(whole.values())).shape[1]
        centres = starts[:, None] + HOP_SAMPLES * np.arange(per_tile)[None]
        before_end = (centres < len(audio) - EDGE_FRAMES * HOP_SAMPLES).reshape(-1)
        whole["times_s"] = centres / self.sample_rate_hz
        return {name: values.reshape(-1, *values.shape[2:])[before_end] for name, values in whole.items()}

    def transcribe(
        self,
        audio: np.ndarray,
        *,
        onset_threshold: float = ONSET_THRESHOLD,
        note_threshold: float = NOTE_THRESHOLD,
    ) -> Transcription:
        """The notes of a waveform, float32 [samples] at `sample_rate_hz`; see `note_events` for the thresholds.

        Silence, which is a waveform of equal samples, has none.
        """
        duration_s = len(audio) / self.sample_rate_hz
        seen = self.posteriorgrams(audio, ("notes", "onsets"))
        silent = float(np.ptp(audio)) == 0.0
        events = note_events(
            seen["notes"][:0] if silent else seen["notes"],
            seen["onsets"][:0] if silent else seen["onsets"],
            onset_threshold=onset_threshold,
            note_threshold=note_threshold,
        )
        times = seen["times_s"]
        pitches = events.pitches + LOWEST_MIDI
        return Transcription(times[events.starts], times[events.ends], pitches, events.amplitudes, duration_s)

    def transcribe_file(self, file: str | os.PathLike[str], **thresholds: float) -> Transcription:
        """The notes of a file, decoded and resampled (`mu.audio.io.read`).

        Raises:
          AudioError: the file cannot be decoded, or holds no sound or samples that are no numbers.
        """
        audio, _ = read(file, sample_rate_hz=self.sample_rate_hz)
        try:
            return self.transcribe(audio, **thresholds)
        except ValueError as error:
            raise AudioError(os.fspath(file), str(error)) from None
