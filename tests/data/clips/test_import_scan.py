"""Faults and measures of a file by themselves: thresholds, damage, loudness and memory."""

import numpy as np
import pyloudnorm
import pytest
import soundfile

from mu.data.clips.importing import scan
from mu.data.clips.importing.faults import faults_of
from mu.data.clips.importing.loudness import Loudness, k_weighting
from mu.data.clips.importing.scan import Facts
from tests.helpers.audio_files import FORMATS, sound, write
from tests.helpers.processes import run_python


def test_thresholds_of_faults():
    def found(**facts):
        good = {"container": "WAV", "codec": "PCM_16", "sample_rate_hz": 8000, "channels": 1, "peak": 0.5}
        good |= {"frames": 8000, "promised_frames": 8000, "clip": "a.wav"}
        return [fault for fault, _ in faults_of(Facts(**good | facts))]

    assert found() == []
    assert found(peak=1e-4) == ["silent"] and found(peak=1.01e-4) == []
    assert found(full_scale_share=1.1e-3) == ["clipped"] and found(full_scale_share=1e-3) == []
    assert found(dc_offset=0.011) == ["dc_offset"] and found(dc_offset=0.01) == []
    assert found(frames=7999) == ["truncated"]
    mp3 = {"container": "MP3", "clip": "a.mp3"}
    assert found(**mp3, frames=8000 - 2304) == [] and found(**mp3, frames=8000 - 2305) == ["truncated"]
    assert found(clip="a.MP3") == ["wrong_extension"] and found(clip="a") == [] and found(clip="a.WAV") == []
    assert found(container="OGG", codec="VORBIS", clip="a.opus") == ["wrong_extension"]
    assert found(frames=0, promised_frames=0) == ["zero_length"] and found(frames=0) == ["truncated"]
    assert found(finite=False, stopped="gave up") == ["truncated", "not_finite"]
    assert found(bytes_behind=1) == ["bytes_behind"]
    assert found(peak=100.1) == ["beyond_full_scale"] and found(peak=100.0) == []
    stereo = {"channels": 2, "mono_peak": 0.02, "quiet_peak": 0.02}
    assert found(**stereo) == [] and found(**stereo | {"mono_peak": 0.004}) == ["channels_cancel"]
    assert found(**stereo | {"quiet_peak": 4e-4}) == ["dead_channel"]
    assert found(**stereo | {"peak": 50.0}) == []  # neither was followed so far
    assert found(promised_frames=8000 * 3600 * 100 + 3600 * 8, frames=0) == ["too_long"]


def test_levels_and_channels_that_no_recording_has(tmp_path):
    """Each is measured; what training would hear of it decides."""
    x = sound(0.3, 8000)
    half = {"subtype": "FLOAT"}
    for name, samples, options, expected in (
        ("opposite", np.concatenate([x, -x], 1), {}, ["channels_cancel"]),
        ("opposite of three", np.concatenate([x, -x / 2, -x / 2], 1), half, ["channels_cancel"]),
        ("nearly opposite", np.concatenate([x, -0.95 * x], 1), {}, []),
        ("one dead", np.concatenate([x, 0 * x], 1), {}, ["dead_channel"]),
        ("dead until its end", np.concatenate([x, np.linspace(0, 1, len(x))[:, None] ** 30 * x], 1), {}, []),
        ("integers as floats", 32768 * x, half, ["beyond_full_scale"]),
        ("largest", np.where(np.arange(len(x))[:, None] == 7, 3e38, x), half, ["beyond_full_scale"]),
        ("largest of both", np.full((800, 2), 3e38) * [[1, -1]], half, ["channels_cancel", "beyond_full_scale"]),
        ("infinite", np.where(np.arange(len(x))[:, None] == 7, np.inf, x), half, ["not_finite"]),
        ("one sample", x[5:6] + 0.2, {}, []),
        ("many channels", np.repeat(x[:500], 1024, 1), {}, []),
    ):
        write(tmp_path / f"{name}.wav", samples.astype(np.float32), 8000, **options)
        facts = scan.scan_file(str(tmp_path), f"{name}.wav")
        named = [fault for fault, _ in faults_of(facts) if fault not in ("clipped", "dc_offset")]
        assert named == expected, name
    assert facts.channels == 1024 and facts.frames == 500


def test_a_file_of_too_many_hours_is_not_decoded(tmp_path, monkeypatch):
    write(tmp_path / "a.flac", sound(1.0, 8000), 8000)
    monkeypatch.setattr(scan, "MOST_HOURS", 1e-4)
    facts = scan.scan_file(str(tmp_path), "a.flac")
    assert facts.frames == 0 and facts.promised_frames == 8000


@pytest.mark.parametrize("name", FORMATS)
def test_any_damage_is_a_fault_and_no_exception(tmp_path, name):
    whole = write(tmp_path / f"a.{name}", sound(0.3, FORMATS[name][2]), FORMATS[name][2]).read_bytes()
    rng = np.random.default_rng(0)
    for seed in range(12):
        content = bytearray(whole[: rng.integers(1, len(whole))] if seed % 2 else whole)
        for at in rng.integers(0, len(content), 1 + 5 * seed):
            content[at] = rng.integers(256)
        (tmp_path / f"b.{name}").write_bytes(content)
        facts = scan.scan_file(str(tmp_path), f"b.{name}")
        assert facts.error or facts.frames or faults_of(facts)


def loudness(x, rate, block=1 << 16):
    meter = Loudness(rate, len(x))
    for start in range(0, x.shape[1], block):
        meter.add(x[:, start : start + block])
    return meter.lufs()


def test_loudness_known_answers():
    """The standard's own: coefficients at 48 kHz; a sine of 997 Hz at full scale in one channel is at -3.01 LUFS."""
    np.testing.assert_allclose(
        k_weighting(48000),
        [
            [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
            [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
        ],
        rtol=0,
        atol=1e-12,
    )
    sine = np.sin(2 * np.pi * 997 * np.arange(48000 * 5) / 48000)
    assert loudness(sine[None], 48000) == pytest.approx(-3.01, abs=0.01)
    assert loudness(np.stack([sine, sine]), 48000) == pytest.approx(0.0, abs=0.01)
    assert loudness(np.stack([0 * sine] * 3 + [sine] + [0 * sine] * 2), 48000) is None  # low frequencies do not count
    # Gating: silence and quiet passages do not lower it.
    with_pause = np.concatenate([sine, np.zeros(48000 * 20), 0.01 * sine])
    assert loudness(with_pause[None], 48000) == pytest.approx(-3.01, abs=0.2)
    assert loudness(np.zeros((1, 48000)), 48000) is None
    assert loudness(sine[None, :19199], 48000) is None and loudness(sine[None, :19200], 48000) is not None
    assert loudness(np.zeros((4, 48000)), 48000) is None and loudness(np.ones((1, 9000)), 2000) is None


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (11025, 2), (22050, 2), (44100, 5), (96000, 1)])
def test_loudness_beside_pyloudnorm(rate, channels):
    rng = np.random.default_rng(rate)
    x = 0.1 * rng.standard_normal((channels, 6 * rate)) * np.repeat([1.0, 0.02, 0.5], 2 * rate)
    ours = loudness(x, rate)
    exact = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(x.T)
    assert ours == pytest.approx(exact, abs=0.01)
    if rate >= 22050:  # its default filters are near those of the standard at high rates only
        assert ours == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(x.T), abs=0.1)
    assert loudness(x, rate, block=997) == pytest.approx(ours, abs=1e-9)


def test_a_long_file_takes_little_memory(tmp_path):
    """Four minutes of two channels are 85 MB as float32; the process may grow by a quarter of that."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2, format="WAV", subtype="PCM_16") as file:
        for seed in range(4):
            file.write(np.repeat(sound(1.0, 44100, 2, seed), 60, axis=0))
    grown = run_python(
        "import sys, resource\nfrom mu.data.clips.importing.scan import scan_file\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "scan_file(sys.argv[1], sys.argv[2])\nbefore = peak()\n"
        "facts = scan_file(sys.argv[1], sys.argv[3])\nprint((peak() - before) / 1024, facts.frames)",
        tmp_path,
        write(tmp_path / "short.wav", sound(5.0, 44100, 2), 44100).name,
        path.name,
    ).split()
    assert int(grown[1]) == 240 * 44100 and float(grown[0]) < 21
