"""Frames of a recording are cut and joined rightly, by a network that says what it sees."""

import numpy as np
import pytest
import soundfile
from flax import nnx

from mu.audio.io import AudioError
from mu.inference.pitch_track import PitchTracker


class Echo(nnx.Module):
    window_samples, hop_samples, pad_mode = 8, 10, "constant"

    def pitches(self, frames):
        return {"midi_pitch": frames[..., 4], "confidence": frames.sum(axis=-1), "activations": frames}


def tracker(model=Echo):
    return PitchTracker(*nnx.split(model()), sample_rate_hz=1000)


@pytest.mark.parametrize("samples", [1, 9, 10, 2560, 7777])
def test_a_frame_is_centred_on_its_time(samples):
    audio = np.arange(1, samples + 1, dtype=np.float32)
    track = tracker().track(audio)
    assert len(track.times_s) == len(track.midi_pitch) == len(track.confidence) == samples // 10 + 1
    at = np.rint(track.times_s * 1000).astype(int)
    np.testing.assert_array_equal(track.midi_pitch, np.append(audio, 0)[at])
    padded = np.pad(audio, 4)
    np.testing.assert_allclose(track.confidence, [padded[one : one + 8].sum() for one in at])


def test_files_without_sound_and_other_models_are_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 1000)
    soundfile.write(tmp_path / "nan.wav", np.full(50, np.nan, np.float32), 1000, subtype="FLOAT")
    for name, message in (("empty", "at least one"), ("nan", "no numbers"), ("gone", "gone.wav")):
        with pytest.raises(AudioError, match=message):
            tracker().track_file(tmp_path / f"{name}.wav")
    with pytest.raises(ValueError, match="Linear tracks no pitch"):
        PitchTracker(*nnx.split(nnx.Linear(2, 2, rngs=nnx.Rngs(0))), sample_rate_hz=1000)
