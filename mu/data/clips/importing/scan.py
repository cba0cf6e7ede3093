"""Measures an audio file in one pass: format, length, peak, loudness. `faults` decides what is wrong with it."""

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from mu.audio import io
from mu.data.clips.importing.tags import read_tags
from mu.files import hash_file

# Changes whenever what is measured does: journals of other versions are begun again.
VERSION = 4
# Beyond this (-34 dB of full scale) neither the mean of the channels nor a channel can be taken for silent.
AUDIBLE = 0.02
MOST_HOURS = 100  # of one file: a megabyte of FLAC can hold hours of silence, and no recording is so long
_BITS = {"PCM_S8": 8, "PCM_U8": 8}  # other formats are taken for 16 bits: 24 and more differ by less than that step


@dataclasses.dataclass
class Facts:
    """Measurements of one clip; a line of the journal.

    Attributes:
      clip: its id.
      error: why nothing could be decoded, or ''.
      content_hash: sha256 of the file's bytes, hexadecimal; '' where nothing could be decoded.
      container: as of `mu.audio.io.Header`.
      codec: as of `mu.audio.io.Header`.
      sample_rate_hz: as of `mu.audio.io.Header`.
      channels: as of `mu.audio.io.Header`.
      promised_frames: samples a channel, by the header.
      frames: samples a channel that were decoded.
      incomplete: how the container shows that its end is missing, or ''.
      bytes_behind: as of `mu.audio.io.Header`.
      stopped: what the decoder said when it gave up on the way, or ''.
      finite: no sample is infinite or not a number.
      peak: max |x|.
      mono_peak: that of the mean of the channels; not followed beyond `AUDIBLE`, and 0 of one channel.
      quiet_peak: that of the quietest channel, in the same way.
      dc_offset: the largest |mean| of a channel.
      full_scale_share: share of the samples that are as large as the format goes.
      loudness_lufs: None where it is not defined.
      attributes: what a record, or the tags of a file, say beside the sound, as JSON; '' for nothing.
      tags_error: why the tags of a file could not be read, or ''.
      transient: the error may have been the machine's (no memory, a failing disk, a permission): the next scan tries
        the clip again.
    """

    clip: str
    error: str = ""
    content_hash: str = ""
    container: str = ""
    codec: str = ""
    sample_rate_hz: int = 0
    channels: int = 0
    promised_frames: int = 0
    frames: int = 0
    incomplete: str = ""
    bytes_behind: int = 0
    stopped: str = ""
    finite: bool = True
    peak: float = 0.0
    mono_peak: float = 0.0
    quiet_peak: float = 0.0
    dc_offset: float = 0.0
    full_scale_share: float = 0.0
    loudness_lufs: float | None = None
    attributes: str = ""
    tags_error: str = ""
    transient: bool = False

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Reader(Protocol):
    """Reads the audio of clips in worker processes; must be picklable."""

    def scan(self, clip: str) -> Facts:
        """Decodes and measures a clip; an error is part of the result and is not raised."""
        ...

    def blocks(self, clip: str, sample_rate_hz: int, frames: int) -> Iterator[np.ndarray]:
        """Its first `frames` samples (of its own rate), mono float32 at `sample_rate_hz`, in pieces."""
        ...


@dataclasses.dataclass(frozen=True)
class Files:
    """Clips that are files below `root`."""

    root: str

    def scan(self, clip: str) -> Facts:
        return scan_file(self.root, clip)

    def blocks(self, clip: str, sample_rate_hz: int, frames: int) -> Iterator[np.ndarray]:
        return io.blocks(os.path.join(self.root, clip), sample_rate_hz=sample_rate_hz, frames=frames)


def scan_row(reader: Reader, row: tuple[str, int, int]) -> Facts:
    """Scans a row of the list of clips, in a worker process."""
    return reader.scan(row[0])


def scan_file(root: str, clip: str) -> Facts:
    """Measures the file `clip` below `root`; memory does not depend on its length, and a bad file is no exception."""
    path = os.path.join(root, clip)
    facts = Facts(clip)
    try:
        header = io.probe(path)  # refuses what is no file before anything reads it, which might take for ever
        facts.content_hash = hash_file(path)
        facts.container, facts.codec = header.container, header.codec
        facts.sample_rate_hz, facts.channels = header.sample_rate_hz, header.channels
        facts.promised_frames, facts.incomplete = header.frames, header.incomplete
        facts.bytes_behind = header.bytes_behind
        tags, facts.tags_error = read_tags(path)
        facts.attributes = json.dumps(tags, ensure_ascii=False) if tags else ""
        if header.duration_s <= 3600 * MOST_HOURS:
            measure(facts, io.blocks(path, mono=False))
    except io.AudioError as error:
        # Where some was decoded the file is cut; otherwise there is nothing.
        facts.stopped, facts.error = (error.reason, "") if facts.frames else ("", error.reason)
        facts.transient = isinstance(error.__cause__, OSError)
    except OSError as error:
        facts.error, facts.transient = f"it cannot be read ({error.strerror})", True
    return facts


def measure(facts: Facts, blocks: Iterable[np.ndarray]) -> None:
    """Fills in what is measured, block by block; what came before an error stays."""
    from mu.data.clips.importing.loudness import Loudness  # scipy.signal takes half a second, which only workers need

    full_scale = 1 - 2.0 ** (1 - _BITS.get(facts.codec, 16))
    loudness = Loudness(facts.sample_rate_hz, facts.channels)
    sums, peaks, at_full_scale = np.zeros(facts.channels), np.zeros(facts.channels), 0
    for x in blocks:
        facts.frames += x.shape[1]
        peak = max(float(x.max()), -float(x.min()))
        if not math.isfinite(peak):  # a NaN is passed on by both
            facts.finite = False
            continue
        facts.peak = max(facts.peak, peak)
        if facts.channels > 1 and facts.mono_peak < AUDIBLE:
            with np.errstate(over="ignore"):  # samples of 1e38 are a fault of another name
                facts.mono_peak = max(facts.mono_peak, float(np.abs(x.mean(axis=0)).max()))
        if facts.channels > 1 and facts.quiet_peak < AUDIBLE:
            peaks = np.maximum(peaks, np.abs(x).max(axis=1))
            facts.quiet_peak = float(peaks.min())
        sums += x.sum(axis=1, dtype=np.float64)
        if peak >= full_scale:
            at_full_scale += int(np.count_nonzero(np.abs(x) >= full_scale))
        loudness.add(x)
        facts.dc_offset = float(np.abs(sums).max() / facts.frames)
        facts.full_scale_share = at_full_scale / (facts.frames * facts.channels)
    level = loudness.lufs() if facts.finite else None
    facts.loudness_lufs = None if level is None else round(level, 3)
