"""Audio inside a page: MP3 of the same length and sound."""

import io

import numpy as np
import pytest
import soundfile

from mu.report.audio import mp3


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("seconds", [0.05, 1.0, 3.21])
def test_mp3_keeps_length_and_sound(rate_hz, seconds):
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    decoded, rate = soundfile.read(io.BytesIO(mp3(sound, rate_hz)), dtype="float32")
    assert rate == min(max(rate_hz, 16_000), 48_000)
    assert abs(len(decoded) - len(sound) * rate / rate_hz) <= 1
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(decoded)) / rate)
    middle = slice(len(decoded) // 4, -len(decoded) // 4)
    noise = (decoded - wanted)[middle]
    assert 10 * np.log10((wanted[middle] ** 2).mean() / (noise**2).mean()) > 25  # dB


def test_mp3_of_what_is_too_loud_is_scaled_and_of_silence_is_silence():
    loud = 3.0 * np.sin(np.arange(16_000) * 0.1).astype(np.float32)
    decoded, _ = soundfile.read(io.BytesIO(mp3(loud, 16_000)))
    assert 0.9 < np.abs(decoded).max() < 1.1  # MP3 overshoots a little
    decoded, _ = soundfile.read(io.BytesIO(mp3(np.zeros(1600, np.float32), 16_000)))
    assert len(decoded) == 1600 and not decoded.any()
