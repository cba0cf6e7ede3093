"""Decoding: every format, whole and in parts, at any rate; a part is that part of the whole; errors name the file."""

import os
import pickle

import numpy as np
import pytest
import soundfile

from mu.audio import io
from tests.helpers.audio_files import FORMATS, cut, sound, without_length, write

EXACT = {"wav": 0, "flac": 0, "ogg": 0, "opus": 1e-6, "mp3": 1e-6}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of 3 s, two channels, in each format."""
    folder = tmp_path_factory.mktemp("formats")
    return {
        name: write(folder / f"a.{name}", sound(3.0, rate, channels=2), rate) for name, (_, _, rate) in FORMATS.items()
    }


def parts_equal(path, tolerance, starts=12, seconds=0.1, rate=None):
    """Every part begins somewhere else, the last ones in the last page or frame of the file."""
    whole, rate = io.read(path, mono=False, sample_rate_hz=rate)
    n, length = whole.shape[1], round(seconds * rate)
    spread = np.random.default_rng(0).integers(0, n - length, starts)
    for start in [*spread.tolist(), n - length, n - length // 2, n - 1]:
        part, _ = io.read(path, mono=False, sample_rate_hz=rate, start_s=start / rate, duration_s=seconds)
        expected = whole[:, start : start + length]
        assert part.shape == expected.shape
        assert np.abs(part - expected).max() <= tolerance, start


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(files, name):
    container, codec, rate = FORMATS[name]
    header = io.probe(files[name])
    assert (header.container, header.codec, header.sample_rate_hz, header.channels) == (container, codec, rate, 2)
    assert header.incomplete == "" and abs(header.duration_s - 3) < 0.1
    stereo, got = io.read(files[name], mono=False)
    mono, _ = io.read(files[name])
    assert got == rate and stereo.dtype == mono.dtype == np.float32
    assert stereo.shape == (2, header.frames) and stereo.flags.c_contiguous and mono.shape == (header.frames,)
    np.testing.assert_array_equal(mono, stereo.mean(axis=0))
    np.testing.assert_array_equal(stereo, soundfile.read(files[name], dtype="float32")[0].T)
    if name in ("wav", "flac"):
        np.testing.assert_allclose(stereo.T, sound(3.0, rate, channels=2), atol=2**-15)
    else:  # a lossy codec keeps the tone
        assert np.corrcoef(stereo[0, :rate], sound(3.0, rate, channels=2)[:rate, 0])[0, 1] > 0.9


@pytest.mark.parametrize("name", FORMATS)
def test_a_part_is_that_part_of_the_whole(files, name):
    parts_equal(files[name], EXACT[name])


@pytest.mark.parametrize("name", FORMATS)
def test_a_resampled_part_is_that_part_of_the_resampled_whole(files, name):
    for rate in (16000, 22050, 44101):
        parts_equal(files[name], 1e-5, starts=3, rate=rate)


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_make_up_the_whole(files, name):
    """Also where a block ends in the middle of a frame, which is where plain soundfile has errors."""
    for options in ({}, {"mono": False}, {"sample_rate_hz": 16000}, {"mono": False, "sample_rate_hz": 50000}):
        whole, _ = io.read(files[name], **options)
        for block_frames in (1000, 4096, io.BLOCK_FRAMES):
            blocks = list(io.blocks(files[name], block_frames=block_frames, **options))
            np.testing.assert_array_equal(np.concatenate(blocks, axis=-1), whole)
    some = np.concatenate(list(io.blocks(files[name], frames=5000, block_frames=777)))
    np.testing.assert_array_equal(some, io.read(files[name])[0][:5000])


@pytest.mark.parametrize(("rate", "mode"), [(8000, "CONSTANT"), (22050, "VARIABLE"), (44100, "CONSTANT")])
def test_parts_of_mp3_of_few_bits(tmp_path, rate, mode):
    """Frames that use bits of many frames before them."""
    path = write(tmp_path / "a.mp3", sound(4.0, rate), rate, compression_level=0.99, bitrate_mode=mode)
    parts_equal(path, 1e-6)
    blocks = list(io.blocks(path, block_frames=1000))
    np.testing.assert_array_equal(np.concatenate(blocks), io.read(path)[0])


@pytest.mark.parametrize("order", [1, -1])
def test_mp3_that_does_not_say_its_length(tmp_path, order):
    """From its size and first frame libsndfile would take it for shorter, or longer, than it is."""
    rate = 44100
    x = np.concatenate([sound(2.0, rate), np.zeros((8 * rate, 1), np.float32)])[::order]
    said = write(tmp_path / "said.mp3", x, rate, compression_level=0.5, bitrate_mode="VARIABLE")
    path = tmp_path / "unsaid.mp3"
    path.write_bytes(said.read_bytes())
    without_length(path)
    whole, _ = io.read(path)
    header = io.probe(path)
    assert len(whole) == header.frames and header.incomplete == ""
    guessed = soundfile.info(path).frames
    assert guessed < 0.5 * header.frames if order == 1 else guessed > header.frames
    # What only that frame says: how much silence the coder put in front.
    np.testing.assert_array_equal(whole[1105 : 1105 + len(x)], io.read(said)[0])
    parts_equal(path, 1e-6)
    assert "inside an MP3 frame" in io.probe(cut(path, 0.7)).incomplete


def test_opus_parts_of_long_files(tmp_path):
    """The stated exception: the decoder's state. Errors are rare and small."""
    path = write(tmp_path / "a.opus", sound(12.0, 24000), 24000)
    parts_equal(path, 5e-3, starts=40)


def test_resampling():
    for rate, target in ((44100, 16000), (8000, 16000), (44100, 22050), (16000, 44101)):
        n = 3 * rate + 17
        y = io.resample(np.ones(n, np.float32), rate, target)
        assert len(y) == int(n * target / rate + 0.5) and y.dtype == np.float32
    t = np.arange(32000)
    for channels in (1, 2):
        x = np.stack([np.sin(2 * np.pi * 440 * (k + 1) * t / 32000) for k in range(channels)]).astype(np.float32)
        y = io.resample(x, 32000, 16000)
        np.testing.assert_allclose(y[:, 500:-500], x[:, ::2][:, 500:-500], atol=1e-5)
    assert io.resample(x, 8000, 8000) is x


def test_ends_of_files(files):
    whole, rate = io.read(files["flac"])
    part, _ = io.read(files["flac"], start_s=2.9, duration_s=5.0)
    np.testing.assert_array_equal(part, whole[round(2.9 * rate) :])
    for target in (None, 16000):
        for start_s in (3.0, 100.0):
            with pytest.raises(io.AudioError, match=r"a.flac: start_s is .*, and the file ends at"):
                io.read(files["flac"], start_s=start_s, duration_s=1.0, sample_rate_hz=target)
    for arguments in (
        {"start_s": -1.0},
        {"duration_s": 0.0},
        {"sample_rate_hz": 0},
        *({name: value} for name in ("start_s", "duration_s") for value in (float("nan"), float("inf"))),
    ):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            io.read(files["flac"], **arguments)


def test_integers_and_floats_beyond_full_scale(tmp_path):
    x = np.array([0.5, -1.5, 1.0], np.float32)
    path = write(tmp_path / "a.wav", x, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(io.read(path)[0], x)
    write(path, np.array([-1, 0.5, 32767 / 32768]), 8000)
    np.testing.assert_array_equal(io.read(path)[0], [-1, 0.5, 32767 / 32768])


@pytest.mark.parametrize("name", FORMATS)
def test_what_cannot_be_decoded_is_named(tmp_path, name):
    path = tmp_path / f"a.{name}"
    for content, reason in ((b"", "the file is empty"), (b"no sound in here " * 500, "libsndfile: ")):
        path.write_bytes(content)
        for call in (io.probe, io.read, lambda file: list(io.blocks(file))):
            with pytest.raises(io.AudioError) as caught:
                call(path)
            assert caught.value.file == str(path) and caught.value.reason.startswith(reason)
            assert str(caught.value).startswith(f"{path}: ")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.file, again.reason) == (caught.value.file, caught.value.reason)


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(io.AudioError, match=r"gone.wav: there is no such file"):
        io.read(tmp_path / "gone.wav")
    with pytest.raises(io.AudioError, match="it is a folder"):
        io.read(tmp_path)
    (tmp_path / "a.raw").write_bytes(b"1234")
    with pytest.raises(io.AudioError, match="soundfile: "):
        io.read(tmp_path / "a.raw")
    if os.name != "nt" and os.geteuid() != 0:
        (tmp_path / "a.raw").chmod(0)
        with pytest.raises(io.AudioError):
            io.probe(tmp_path / "a.raw")


@pytest.mark.parametrize("name", FORMATS)
def test_an_end_that_is_missing_shows(tmp_path, files, name):
    """In the header or, where that says nothing of the end (FLAC, MP3), when decoding stops."""
    path = tmp_path / f"a.{name}"
    path.write_bytes(files[name].read_bytes())
    header = io.probe(cut(path, 0.6))
    decoded = 0
    try:
        for block in io.blocks(path, block_frames=4096):
            decoded += len(block)
    except io.AudioError:
        assert name == "flac"
    assert 0.3 < decoded / io.probe(files[name]).frames < 0.8
    assert header.incomplete or decoded < header.frames - 2304


def test_headers_that_promise_nothing(tmp_path):
    """Writers to a pipe leave the size open: that is no damage."""
    path = write(tmp_path / "a.wav", sound(0.1, 8000), 8000)
    content = bytearray(path.read_bytes())
    at = content.find(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert io.probe(path).incomplete == "" and len(io.read(path)[0]) == 800


def test_real_files(data_dir):
    """Parts of real Vorbis (end trimmed inside a page), MP3 (no length said), Opus (hybrid mode)."""
    for pattern, tolerance in (
        ("esc10/audio/007_helicopter/*.ogg", 0),
        ("philharmonia_notes/audio/banjo/*.mp3", 1e-6),
        ("emotify/audio/rock/*.opus", 5e-3),
    ):
        found = sorted(data_dir.glob(pattern))[:2]
        assert found
        for path in found:
            assert io.read(path)[0].shape == (io.probe(path).frames,)
            parts_equal(path, tolerance, starts=5)
