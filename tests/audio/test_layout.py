"""Files as they come from users: put together, cut, with headers that lie: all samples are read, or the fault named."""

import io as bytes_io
import os
import socket
import struct
from typing import Any

import numpy as np
import pytest
import soundfile

from mu.audio import flac, io
from mu.audio.layout import View
from tests.helpers.audio_files import FORMATS, sound

RATE = 16000
LINES = sound(0.5, RATE, channels=2, seed=1), sound(0.8, RATE, channels=2, seed=2)


def encoded(extension, x, rate=RATE, **options):
    container, codec, _ = FORMATS.get(extension, (extension.upper(), "PCM_16", None))
    content = bytes_io.BytesIO()
    with soundfile.SoundFile(content, "w", rate, x.shape[1], format=container, subtype=codec, **options) as file:
        file.write(x)
    return content.getvalue()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """extension -> two files of it, and what is decoded of each."""
    contents = {extension: [encoded(extension, x) for x in LINES] for extension in ("mp3", "ogg", "opus", "flac")}
    contents["vbr"] = [encoded("mp3", x, compression_level=0.4, bitrate_mode="VARIABLE") for x in LINES]
    file = tmp_path_factory.mktemp("two") / "one"
    decoded = {}
    for name, both in contents.items():
        decoded[f"{name} decoded"] = [io.read(file, mono=False)[0] for one in both if file.write_bytes(one)]
    return contents | decoded


def lawful(path, content) -> tuple[str, Any]:
    """The header of a file; that header, blocks and whole agree in length and samples, or all say the same."""
    path.write_bytes(content)
    found = []
    for call in (io.probe, lambda file: list(io.blocks(file, mono=False, block_frames=3000)), io.read):
        try:
            found.append(call(path))
        except io.AudioError as error:
            found.append(error.reason)
    header, blocks, whole = found
    if isinstance(header, str):
        assert blocks == whole == header
        return header, None
    stereo, _ = io.read(path, mono=False)
    assert stereo.shape[1] == header.frames == len(whole[0]) == round(header.duration_s * header.sample_rate_hz)
    np.testing.assert_array_equal(np.concatenate([np.zeros_like(stereo[:, :0]), *blocks], axis=1), stereo)
    return header.incomplete, stereo


def id3(content_bytes, said=None):
    said = content_bytes if said is None else said
    return b"ID3\x04\0\0" + bytes(said >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(content_bytes)


APE = b"APETAGEX" + struct.pack("<IIII", 2000, 82, 1, 0xA0000000) + bytes(8 + 50) + b"APETAGEX" + bytes(24)
BETWEEN = {
    "mp3": (b"", b"TAG" + b"t" * 125 + id3(700), APE),
    "vbr": (b"",),
    "ogg": (b"",),
    "opus": (b"",),
    "flac": (b"", b"TAG" + b"t" * 125 + id3(700), APE, bytes(300)),
}


@pytest.mark.parametrize(("name", "between"), [(name, one) for name, tags in BETWEEN.items() for one in tags])
def test_files_put_together_are_one_behind_the_other(two, tmp_path, name, between):
    a, b = two[name]
    incomplete, x = lawful(tmp_path / "a", a + between + b)
    assert incomplete == ""
    np.testing.assert_array_equal(x, np.concatenate(two[f"{name} decoded"], axis=1))
    length = two[f"{name} decoded"][0].shape[1]
    for start in (100, length - 50, length, length + 300, x.shape[1] - 100):  # also across the seam
        part, _ = io.read(tmp_path / "a", mono=False, start_s=start / RATE, duration_s=100 / RATE)
        assert np.abs(part - x[:, start : start + 100]).max() <= (5e-3 if name == "opus" else 1e-6)
    cut_at = len(a + between) + len(b) * 2 // 3
    incomplete, x = lawful(tmp_path / "a", (a + between + b)[:cut_at])
    assert incomplete and length <= x.shape[1] < length + two[f"{name} decoded"][1].shape[1]


@pytest.mark.parametrize("extension", ["mp3", "ogg", "flac"])
def test_files_of_other_rates_or_channels_put_together_are_named(two, tmp_path, extension):
    for other in (encoded(extension, LINES[0], 2 * RATE), encoded(extension, LINES[0][:, :1])):
        reason, _ = lawful(tmp_path / "a", two[extension][0] + other)
        assert "2 streams lie in it one behind the other" in reason and "split the file" in reason


def xing(content, frames=None, flags=None):
    """An MP3 whose first frame says another number of frames, or none."""
    at = max(content.find(b"Xing"), content.find(b"Info"))
    said = struct.unpack(">I", content[at + 8 : at + 12])[0] if frames is None else frames
    flags = content[at + 7] if flags is None else flags
    return content[: at + 7] + bytes([flags]) + struct.pack(">I", said) + content[at + 12 :]


@pytest.mark.parametrize("name", ["mp3", "vbr"])
@pytest.mark.parametrize("frames", [1, 7, 1000, 2**32 - 1])
def test_a_number_of_frames_that_is_wrong(two, tmp_path, name, frames):
    incomplete, x = lawful(tmp_path / "a", xing(two[name][0], frames))
    assert incomplete == ""
    np.testing.assert_array_equal(x, two[f"{name} decoded"][0])


def test_mp3_without_a_number_of_frames(two, tmp_path):
    """Only that says which samples the encoder has added in front and behind: all are there."""
    whole = two["vbr decoded"][1]
    first = two["vbr"][1]
    start = first.find(first[:2], max(first.find(b"Xing"), first.find(b"Info")))
    for content in (first[start:], xing(first, 0), xing(first, flags=0), first[start:] + first[start:]):
        incomplete, x = lawful(tmp_path / "a", content)
        assert incomplete == "" and x.shape[1] % 576 == 0 and x.shape[1] > whole.shape[1]
        np.testing.assert_array_equal(x[:, 1105 : 1105 + whole.shape[1]], whole)


def test_mp3_with_tags_that_lie_and_bytes_that_are_no_sound(two, tmp_path):
    content, whole = two["mp3"][0], two["mp3 decoded"][0]
    odd = (
        id3(100, said=1_000_000) + content,  # longer than the file
        id3(100, said=900) + content,  # longer than it is
        id3(5000) + content,
        bytes(3000) + content,
        b"junk" * 500 + content,
        content + b"junk" * 500,
        content + APE + b"TAG" + bytes(125),
    )
    for one in odd:
        incomplete, x = lawful(tmp_path / "a", one)
        assert incomplete == ""
        np.testing.assert_array_equal(x, whole)
    incomplete, x = lawful(tmp_path / "a", content[:2000] + b"junk" * 500 + content[2000:])
    assert "are no frames of MP3" in incomplete and x.shape == whole.shape
    incomplete, x = lawful(tmp_path / "a", content[: len(content) // 2])
    assert "frames of MP3, there are" in incomplete
    np.testing.assert_array_equal(x[:, :-1152], whole[:, : x.shape[1] - 1152])


@pytest.mark.parametrize("beside", ["._song.mp3", "._"])
def test_mp3_beside_what_macos_leaves(two, tmp_path, monkeypatch, beside):
    """libsndfile looks for the resource fork of an older format."""
    monkeypatch.chdir(tmp_path)
    head = bytes.fromhex("0005160700020000") + b"Mac OS X        " + struct.pack(">HIIIIII", 2, 9, 50, 32, 2, 82, 286)
    (tmp_path / beside).write_bytes(head + bytes(32 + 286))
    for content in (two["mp3"][0], two["mp3"][0] + two["mp3"][1], xing(two["mp3"][0], 3)):
        incomplete, x = lawful(tmp_path / "song.mp3", content)
        assert incomplete == ""
        np.testing.assert_array_equal(x[:, : two["mp3 decoded"][0].shape[1]], two["mp3 decoded"][0])


def flac_says(content, samples):
    return (
        content[:21] + bytes([content[21] & 0xF0 | samples >> 32]) + struct.pack(">I", samples % 2**32) + content[26:]
    )


def test_flac_whose_header_does_not_know(two, tmp_path):
    content, whole = two["flac"][1], two["flac decoded"][1]
    n = whole.shape[1]
    for one in (
        flac_says(content, 0),
        flac_says(content, 0) + b"junk" * 300,
        flac_says(content, 0) + b"TAG" + bytes(125),
        flac_says(content, 500),
        content + b"junk" * 300,
        id3(300) + flac_says(content, 0),
    ):
        incomplete, x = lawful(tmp_path / "a", one)
        assert incomplete == ""
        np.testing.assert_array_equal(x, whole)
    for said in (n + 1, 2**36 - 1):
        incomplete, x = lawful(tmp_path / "a", flac_says(content, said))
        assert incomplete == f"the header says {said:,} samples, there are {n:,}" and x.shape[1] == n
    for said in (n, 0):
        for size in (len(content) // 2, len(content) - 1):
            incomplete, x = lawful(tmp_path / "a", flac_says(content, said)[:size])
            assert incomplete and 0 < x.shape[1] < n
            np.testing.assert_array_equal(x, whole[:, : x.shape[1]])


def test_what_lies_between_streams_of_flac_is_named(two, tmp_path):
    incomplete, x = lawful(tmp_path / "a", two["flac"][0] + b"junk" * 300 + two["flac"][1])
    assert incomplete == f"1,200 bytes at byte {len(two['flac'][0]):,} are no frames of FLAC"
    np.testing.assert_array_equal(x, np.concatenate(two["flac decoded"], axis=1))


def test_check_sums_of_flac():
    """Bit by bit, as RFC 9639 writes them."""
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 300, flac._CRC_BYTES + 5):
        content = rng.bytes(size)
        for width, polynomial, ours in ((8, 0x107, flac._crc_8), (16, 0x18005, flac._crc_16)):
            if width == 8 and size > 300:
                continue
            crc = 0
            for one in content:
                crc ^= one << (width - 8)
                for _ in range(8):
                    crc = crc << 1 ^ (polynomial if crc >> (width - 1) else 0)
            if width == 8:
                assert ours(content) == crc
            else:  # a message with its check sum behind it leaves nothing
                assert ours(content + crc.to_bytes(2, "big")) == 0
                assert ours(content + (crc ^ 1).to_bytes(2, "big")) == 1


PCM = (LINES[0][:, 0] * 32767).astype("<i2").tobytes()


def wav(riff, data, content=PCM, kind=b"RIFF", more=b""):
    """A WAV of 16 bits and one channel whose header says these sizes."""
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return struct.pack("<4sI4s", kind, riff, b"WAVE") + more + form + b"data" + struct.pack("<I", data) + content


def ds64(size):
    return b"ds64" + struct.pack("<IQQQI", 28, size, size, 0, 0)


OPEN_32, OPEN_64 = 2**32 - 1, 2**64 - 1


def test_wav_of_a_writer_that_could_not_go_back(tmp_path):
    n = len(PCM)
    expected = np.frombuffer(PCM, "<i2").astype(np.float32) / 32768
    odd = [wav(riff, data) for riff in (0, 8, 36, 36 + n, OPEN_32) for data in (0, OPEN_32, 0x7FFFF000)]
    odd += [wav(OPEN_32, OPEN_32, kind=b"RF64", more=ds64(size)) for size in (0, n, OPEN_64)]
    odd += [wav(36 + n, n + 1), wav(37 + n, n + 1, PCM + b"\0"), wav(36 + n, n, PCM + b"junk" * 100)]
    for content in odd:
        incomplete, x = lawful(tmp_path / "a.wav", content)
        assert incomplete == ""
        np.testing.assert_array_equal(x, expected[None])
    for content in (wav(36, 0, b""), wav(48, 0, b"LIST" + struct.pack("<I", 4) + b"INFO")):
        assert lawful(tmp_path / "a.wav", content)[1].shape == (1, 0)
    assert lawful(tmp_path / "a.wav", wav(38, 2, PCM[:2]))[1].shape == (1, 1)
    for content in (wav(36 + n, n, PCM[: n // 2]), wav(OPEN_32, OPEN_32, PCM[: n // 2], b"RF64", ds64(n))):
        incomplete, x = lawful(tmp_path / "a.wav", content)
        assert incomplete == f"the header says {n:,} bytes of samples, there are {n // 2:,}"
        np.testing.assert_array_equal(x, expected[None, : n // 4])


def test_bytes_behind_the_sound_are_counted(two, tmp_path):
    """They may be samples of a writer that was killed before it went back; padding and tags are neither."""
    n = len(PCM)
    some = {
        "small.wav": (wav(36 + n, 1000), n - 1000),
        "junk.wav": (wav(36 + n, n, PCM + b"junk" * 100), 400),
        "junk.mp3": (two["mp3"][0] + b"junk" * 500, 2000),
        "junk.flac": (two["flac"][0] + b"junk" * 500, 2000),
        "unknown.flac": (flac_says(two["flac"][0], 0) + b"junk" * 500 + b"TAG" + b"t" * 125, 2128),
        "junk.ogg": (two["ogg"][0] + b"junk" * 300, 1200),
        "small.au": (patched(encoded("au", LINES[0]), 8, 1000, ">I"), 4 * len(LINES[0]) - 1000),
        "list.wav": (wav(36 + n, n, PCM + b"LIST" + struct.pack("<I", 4) + b"INFO"), 0),
        "zeros.wav": (wav(36 + n, n, PCM + bytes(50)), 0),
        "tag.wav": (wav(36 + n, n, PCM + b"TAG" + bytes(125)), 0),
        "tag.mp3": (two["mp3"][0] + b"TAG" + b"t" * 125, 0),
        "tag.flac": (two["flac"][0] + b"TAG" + b"t" * 125, 0),
        "ape.flac": (two["flac"][0] + APE, 0),
        "zeros.flac": (two["flac"][0] + bytes(500), 0),
        "zeros.mp3": (two["mp3"][0] + bytes(500), 0),
        **{f"whole.{name}": (two[name][0], 0) for name in ("mp3", "ogg", "flac")},
        **{f"whole.{name}": (encoded(name, LINES[0]), 0) for name in ("wav", "caf", "w64", "au", "aiff")},
    }
    for name, (content, expected) in some.items():
        (tmp_path / name).write_bytes(content)
        assert io.probe(tmp_path / name).bytes_behind == expected, name


def patched(content, at, number, form):
    return content[:at] + struct.pack(form, number) + content[at + struct.calcsize(form) :]


@pytest.mark.parametrize("extension", ["w64", "caf", "aiff", "au"])
def test_other_headers_of_a_writer_that_could_not_go_back(tmp_path, extension):
    content = encoded(extension, LINES[0])
    whole = soundfile.read(bytes_io.BytesIO(content), dtype="float32", always_2d=True)[0].T
    at = {"w64": (b"data", 16, "<Q"), "caf": (b"data", 4, ">Q"), "aiff": (b"SSND", 4, ">I"), "au": (b".snd", 8, ">I")}
    mark, offset, form = at[extension]
    place = content.find(mark) + offset
    for number in (0, 2 ** (8 * struct.calcsize(form)) - 1):
        incomplete, x = lawful(tmp_path / "a", patched(content, place, number, form))
        assert incomplete == ""
        np.testing.assert_array_equal(x, whole)
    incomplete, x = lawful(tmp_path / "a", content[: len(content) * 2 // 3])
    assert "bytes of samples, there are" in incomplete
    np.testing.assert_array_equal(x, whole[:, : x.shape[1]])


def test_ogg_with_bytes_that_are_no_pages(two, tmp_path):
    content, whole = two["ogg"][0], two["ogg decoded"][0]
    incomplete, x = lawful(tmp_path / "a", content + b"junk" * 300)
    assert incomplete == ""
    np.testing.assert_array_equal(x, whole)
    page = content.rfind(b"OggS")
    (tmp_path / "a").write_bytes(content[:page] + b"junk" * 10 + content[page:])
    assert io.probe(tmp_path / "a").incomplete == f"40 bytes at byte {page:,} are no Ogg page"
    # A last page that says more samples than any codec holds in so few bytes: they are counted.
    last = content.rfind(b"OggS")
    huge = patched(content, last + 6, 1 << 60, "<q")
    (tmp_path / "a").write_bytes(huge)
    assert io.probe(tmp_path / "a").frames == sum(len(x) for x in io.blocks(tmp_path / "a"))


def test_rates_that_are_none(tmp_path):
    for rate in (1, 2**31 - 1):
        reason, _ = lawful(tmp_path / "a.wav", patched(wav(36 + len(PCM), len(PCM)), 24, rate, "<I"))
        assert reason == f"the header says {rate} Hz, which is no sampling rate of sound"


@pytest.mark.skipif(os.name == "nt", reason="files of POSIX")
def test_what_is_no_file_is_not_opened(tmp_path):
    """To open a pipe waits until somebody writes to it; a device never ends."""
    os.mkfifo(tmp_path / "pipe.wav")
    os.symlink("/dev/zero", tmp_path / "device.wav")
    os.symlink("nowhere", tmp_path / "dangling.wav")
    os.symlink("circular.wav", tmp_path / "circular.wav")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s.wav"))
    reasons = {
        "pipe": "it is a pipe, not a file",
        "device": "it is a device, not a file",
        "s": "it is a socket, not a file",
        "dangling": "there is no such file (a link to nowhere)",
        "circular": "it cannot be read (Too many levels of symbolic links)",
    }
    for name, reason in reasons.items():
        for call in (io.probe, io.read, lambda file: list(io.blocks(file))):
            with pytest.raises(io.AudioError) as caught:
                call(tmp_path / f"{name}.wav")
            assert caught.value.reason == reason


def test_a_view_is_its_pieces(tmp_path):
    content = np.random.default_rng(0).bytes(1000)
    (tmp_path / "a").write_bytes(content)
    view = View(str(tmp_path / "a"), ((10, 300), b"between", (900, 1000), (5000, 5100), b"end"))
    expected = content[10:300] + b"between" + content[900:]
    assert view.seek(0, os.SEEK_END) == len(expected) + 103
    for start in (0, 289, 290, 295, 300, len(expected) - 1, len(expected)):
        for size in (1, 5, 400):
            view.seek(start)
            assert view.read(size) == expected[start : start + size]
    view.seek(-3, os.SEEK_END)
    assert view.read(10) == b"end"
    view.close()
