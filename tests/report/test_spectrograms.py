"""Spectrograms of a page: a tone lies at its frequency, in the colours of viridis."""

import struct
import zlib

import numpy as np
import pytest

from mu.audio.mel import hz_to_mel
from mu.report import spectrograms
from mu.report.audio import Piece


def decode_png(content):
    """uint8 [rows, columns, 3] of a PNG as `spectrograms.png` writes it; reads the chunks on its own."""
    chunks, at = {}, 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", content[at + 8 + size : at + 12 + size])[0]
        chunks[kind], at = body, at + 12 + size
    columns, rows, depth, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colours) == (8, 3) and at == len(content)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, columns + 1)
    assert not lines[:, 0].any()
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[lines[:, 1:]]


def test_a_tone_is_a_bright_line_at_its_frequency():
    """Also that the pictures are made under strict promotion of dtypes, and that lengths may differ."""
    rate, seconds = 16_000, (1.0, 0.5)
    tones = [np.sin(2 * np.pi * 2000 * np.arange(round(s * rate)) / rate).astype(np.float32) for s in seconds]
    first, second = (
        decode_png(one)
        for one in spectrograms.pictures([Piece(x, rate, 0.0, s) for x, s in zip(tones, seconds, strict=True)])
    )
    assert first.shape[0] == second.shape[0] == spectrograms.MELS
    assert abs(first.shape[1] - 2 * second.shape[1]) <= 1 and 400 < first.shape[1] <= spectrograms.COLUMNS
    bright = first[:, 200].astype(int).sum(axis=1).argmax()
    share = float(hz_to_mel(2000.0, "slaney") / hz_to_mel(rate / 2, "slaney"))
    assert abs((spectrograms.MELS - bright - 0.5) / spectrograms.MELS - share) < 1.5 / spectrograms.MELS
    assert spectrograms.pictures([]) == []


def test_the_colours_are_viridis():
    matplotlib = pytest.importorskip("matplotlib", reason="the oracle of the colours")
    wanted = matplotlib.colormaps["viridis"](np.linspace(0, 1, 64))[:, :3] * 255
    assert np.abs(spectrograms.viridis(64) - wanted).max() < 6
