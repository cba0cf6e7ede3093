"""Faults of clips, from what was measured of them, and which of them leave a clip out.

The table is `FAULTS`; `--keep` and `--drop` change its second column. What cannot be decoded cannot be kept.
"""

import math
import os
from typing import NamedTuple

from mu.data.clips.importing.scan import AUDIBLE, MOST_HOURS, Facts
from mu.data.faults import Fault
from mu.data.options import OptionError


class Rule(NamedTuple):
    """A fault of the table.

    Attributes:
      when: what shows it.
      left_out: whether it leaves a clip out, unless `--keep` or `--drop` says otherwise.
      can_be_kept: whether `--keep` may name it.
    """

    when: str
    left_out: bool
    can_be_kept: bool = True


FAULTS = {
    "missing": Rule("the table names a file that is not there", left_out=True, can_be_kept=False),
    "undecodable": Rule(
        "nothing in the file can be decoded, or not as one recording", left_out=True, can_be_kept=False
    ),
    "too_long": Rule(f"more than {MOST_HOURS} hours by its header; not decoded", left_out=True, can_be_kept=False),
    "zero_length": Rule("an empty file, or no sample in it", left_out=True, can_be_kept=False),
    "truncated": Rule("the decoder stops early, or the container shows that its end is missing", left_out=True),
    "not_finite": Rule("a sample is infinite or not a number", left_out=True),
    "silent": Rule("no sample above -80 dB of full scale (--silent_dbfs)", left_out=True),
    "channels_cancel": Rule("the mean of the channels is 40 dB below them: their mono sum is silent", left_out=True),
    "beyond_full_scale": Rule("a sample beyond 100 times full scale: not scaled to [-1, 1]", left_out=True),
    "duplicate": Rule("the bytes of a clip that comes before it, in order of paths", left_out=True),
    "clipped": Rule("more than 0.1 % of the samples at full scale", left_out=False),
    "dc_offset": Rule("a channel whose mean is beyond 1 % of full scale", left_out=False),
    "dead_channel": Rule("one of two channels is 60 dB below the other", left_out=False),
    "bytes_behind": Rule("bytes behind the sound that are no tags, or samples that the header forgot", left_out=False),
    "unreadable_tags": Rule("its tags (artist, title, ...) cannot be read", left_out=False),
    "wrong_extension": Rule("the name ends like another format's", left_out=False),
}
ORDER = tuple(FAULTS)
CLIPPED_SHARE = 1e-3
DC_OFFSET = 1e-2
SILENT_DBFS = -80.0
CANCELLED, DEAD = 1e-2, 1e-3  # of the loudest channel's peak
# Mixes in floating-point numbers overshoot by some 20 dB; integers that were never scaled (32768 at full scale) lie
# beyond 40 dB unless they are near silence.
MOST_PEAK = 100.0
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


MISSING_FILE = Fault("missing", "there is no such file")


def faults_of(facts: Facts, silent_dbfs: float = SILENT_DBFS) -> list[Fault]:
    """The faults of a clip by itself; whether it is a duplicate shows among others only."""
    if facts.error == "the file is empty":
        return [Fault("zero_length", facts.error)]
    if facts.error:
        return [Fault("undecodable", facts.error)]
    hours = facts.promised_frames / max(facts.sample_rate_hz, 1) / 3600
    if hours > MOST_HOURS:
        return [Fault("too_long", f"the file holds {hours:,.0f} hours")]
    faults = [Fault("truncated", reason)] if (reason := _truncation(facts)) else []
    if facts.frames == 0:
        return faults or [Fault("zero_length", "there is no sample in the file")]
    if not facts.finite:
        faults.append(Fault("not_finite", "samples are infinite or not a number"))
    elif facts.peak <= 10 ** (silent_dbfs / 20):
        level = f"{20 * math.log10(facts.peak):.1f} dB of full scale" if facts.peak else "zero"
        faults.append(Fault("silent", f"the largest sample is at {level}"))
    else:
        faults += _faults_of_channels(facts)
    if facts.peak > MOST_PEAK:
        faults.append(Fault("beyond_full_scale", f"the largest sample is {facts.peak:.3g} times full scale"))
    if facts.full_scale_share > CLIPPED_SHARE:
        faults.append(Fault("clipped", f"{facts.full_scale_share:.2%} of the samples are at full scale"))
    if facts.dc_offset > DC_OFFSET:
        faults.append(Fault("dc_offset", f"the mean is {facts.dc_offset:.3g} of full scale"))
    if facts.bytes_behind:
        faults.append(Fault("bytes_behind", f"{facts.bytes_behind:,} bytes behind the sound are not read"))
    if facts.tags_error:
        faults.append(Fault("unreadable_tags", facts.tags_error))
    extension = os.path.splitext(facts.clip)[1].lower()
    if extension in _CONTENTS and not {facts.container, f"{facts.container} {facts.codec}"} & set(_CONTENTS[extension]):
        faults.append(Fault("wrong_extension", f"it is {facts.container} ({facts.codec}), not {extension[1:]}"))
    return faults


def _faults_of_channels(facts: Facts) -> list[Fault]:
    if facts.channels < 2:
        return []
    if facts.mono_peak < min(CANCELLED * facts.peak, AUDIBLE):
        return [Fault("channels_cancel", f"the channels reach {facts.peak:.3g}, their mean {facts.mono_peak:.3g}")]
    # Of more channels, some are silent by design.
    if facts.channels == 2 and facts.quiet_peak < min(DEAD * facts.peak, AUDIBLE):
        return [Fault("dead_channel", f"one channel reaches {facts.peak:.3g}, the other {facts.quiet_peak:.3g}")]
    return []


def left_out(keep: tuple[str, ...], drop: tuple[str, ...]) -> frozenset[str]:
    """The faults that leave a clip out.

    Raises:
      mu.data.options.OptionError: an unknown fault, one in both, or one that cannot be kept.
    """
    for option, names in (("keep", keep), ("drop", drop)):
        for name in names:
            if name not in FAULTS:
                raise OptionError(f"--{option}={name}: there is no such fault; there are {', '.join(FAULTS)}")
    if both := set(keep) & set(drop):
        raise OptionError(f"--keep and --drop both name {min(both)}")
    if impossible := {name for name in keep if not FAULTS[name].can_be_kept}:
        raise OptionError(f"--keep={min(impossible)}: there is no sound to keep in such a file")
    return frozenset(name for name, rule in FAULTS.items() if rule.left_out) - frozenset(keep) | frozenset(drop)


def _truncation(facts: Facts) -> str:
    slack = _MP3_SLACK_FRAMES if facts.container == "MP3" else 0
    if facts.frames < facts.promised_frames - slack or facts.stopped:
        rate = max(facts.sample_rate_hz, 1)
        why = f" ({why})" if (why := facts.stopped or facts.incomplete) else ""
        return f"{facts.frames / rate:.2f} s of {facts.promised_frames / rate:.2f} s can be decoded{why}"
    return facts.incomplete
