"""What is wrong with a clip, from what was measured, and what becomes of it.

| fault | when | unless told otherwise |
|---|---|---|
| missing | the table names a file that is not there | left out |
| undecodable | nothing in the file can be decoded | left out |
| zero_length | an empty file, or no sample in it | left out |
| truncated | the decoder stops early, or the container shows that its end is missing | left out |
| not_finite | a sample is infinite or not a number | left out |
| silent | no sample above -80 dB of full scale (`--silent_dbfs`) | left out |
| duplicate | the bytes of a clip that comes before it, in order of paths | left out |
| clipped | more than 0.1 % of the samples at full scale | kept |
| dc_offset | a channel whose mean is beyond 1 % of full scale | kept |
| wrong_extension | the name ends like another format's | kept |

`--keep` and `--drop` change the last column; what cannot be decoded cannot be kept.
"""

import math
import os
from typing import NamedTuple

from mu.data.clips.importing.scan import Facts

LEFT_OUT = ("missing", "undecodable", "zero_length", "truncated", "not_finite", "silent", "duplicate")
KEPT = ("clipped", "dc_offset", "wrong_extension")
FAULTS = (*LEFT_OUT, *KEPT)
NEVER_KEPT = ("missing", "undecodable", "zero_length")
CLIPPED_SHARE = 1e-3
DC_OFFSET = 1e-2
SILENT_DBFS = -80.0
# Encoders disagree by a frame or two on what an MP3's header counts.
_MP3_SLACK_FRAMES = 2 * 1152
# By extension: containers, or container and codec, that may stand behind it.
_CONTENTS = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".rf64": ("RF64",),
    ".w64": ("W64",),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".oga": ("OGG",),
    ".opus": ("OGG OPUS",),
    ".mp3": ("MP3",),
    ".mp2": ("MP3",),
    ".aiff": ("AIFF",),
    ".aif": ("AIFF",),
    ".aifc": ("AIFF",),
    ".au": ("AU",),
    ".snd": ("AU",),
    ".caf": ("CAF",),
}


class Fault(NamedTuple):
    """One thing that is wrong with one clip."""

    fault: str
    reason: str


MISSING_FILE = Fault("missing", "there is no such file")


def faults_of(facts: Facts, silent_dbfs: float = SILENT_DBFS) -> list[Fault]:
    """What is wrong with a clip by itself (whether it is a duplicate shows among others only)."""
    if facts.error == "the file is empty":
        return [Fault("zero_length", facts.error)]
    if facts.error:
        return [Fault("undecodable", facts.error)]
    found = [Fault("truncated", reason)] if (reason := _truncation(facts)) else []
    if facts.frames == 0:
        return found or [Fault("zero_length", "there is no sample in the file")]
    if not facts.finite:
        found.append(Fault("not_finite", "samples are infinite or not a number"))
    elif facts.peak <= 10 ** (silent_dbfs / 20):
        level = f"{20 * math.log10(facts.peak):.1f} dB of full scale" if facts.peak else "zero"
        found.append(Fault("silent", f"the largest sample is at {level}"))
    if facts.full_scale_share > CLIPPED_SHARE:
        found.append(Fault("clipped", f"{facts.full_scale_share:.2%} of the samples are at full scale"))
    if facts.dc_offset > DC_OFFSET:
        found.append(Fault("dc_offset", f"the mean is {facts.dc_offset:.3f} of full scale"))
    extension = os.path.splitext(facts.clip)[1].lower()
    if extension in _CONTENTS and not {facts.container, f"{facts.container} {facts.codec}"} & set(_CONTENTS[extension]):
        found.append(Fault("wrong_extension", f"it is {facts.container} ({facts.codec}), not {extension[1:]}"))
    return found


def left_out(keep: tuple[str, ...], drop: tuple[str, ...]) -> frozenset[str]:
    """The faults that cost a clip its place.

    Raises:
      ValueError: an unknown fault, one in both, or one that cannot be kept.
    """
    for option, names in (("keep", keep), ("drop", drop)):
        for name in names:
            if name not in FAULTS:
                raise ValueError(f"--{option}={name}: there is no such fault; there are {', '.join(FAULTS)}")
    if both := set(keep) & set(drop):
        raise ValueError(f"--keep and --drop both name {min(both)}")
    if impossible := set(keep) & set(NEVER_KEPT):
        raise ValueError(f"--keep={min(impossible)}: there is no sound to keep in such a file")
    return frozenset(LEFT_OUT) - frozenset(keep) | frozenset(drop)


def _truncation(facts: Facts) -> str:
    slack = _MP3_SLACK_FRAMES if facts.container == "MP3" else 0
    if facts.frames < facts.promised_frames - slack or facts.stopped:
        rate = max(facts.sample_rate_hz, 1)
        told = f" ({told})" if (told := facts.stopped or facts.incomplete) else ""
        return f"{facts.frames / rate:.2f} s of {facts.promised_frames / rate:.2f} s can be decoded{told}"
    return facts.incomplete
