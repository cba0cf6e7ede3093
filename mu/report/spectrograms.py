"""Log-mel spectrograms as pictures: a PNG inside an SVG with seconds and hertz at its sides."""

import struct
import zlib
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from mu.audio.mel import hz_to_mel, log_mel
from mu.report.audio import Piece, address
from mu.report.charts import tick_text, ticks
from mu.report.markup import Html, join, tag

COLUMNS, MELS = 480, 80
WINDOW_S = 0.064
RANGE_DB = 70.0
# Steps of the colour scale: as many as an eye tells apart in noise, at two thirds of the size of 256.
LEVELS = 64
# Seventeen points of matplotlib's viridis (CC0): it grows evenly lighter, also for the colour-blind and in print.
VIRIDIS = (
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
)
WIDTH, HEIGHT = 360, 170
LEFT, RIGHT, TOP, BOTTOM = 58, 8, 6, 34
MARKED_HZ = (125, 500, 1000, 2000, 4000, 8000, 16000)


def pictures(pieces: Sequence[Piece]) -> list[bytes]:
    """A PNG of each piece, time to the right, mel bands upwards, 70 dB below its loudest are dark.

    All pieces have one rate and are computed at once, with a hop such that the longest has 480 columns.
    """
    if not pieces:
        return []
    rate = pieces[0].sample_rate_hz
    longest = max(len(piece.audio) for piece in pieces)
    hop = max(-(-longest // COLUMNS), 1)
    window = round(WINDOW_S * rate)
    audio = np.zeros((len(pieces), longest), np.float32)
    for row, piece in enumerate(pieces):
        audio[row, : len(piece.audio)] = piece.audio
    n_fft = 1 << (window - 1).bit_length()
    found = log_mel(
        jnp.asarray(audio), rate, n_fft=n_fft, window_samples=window, hop_samples=hop, n_mels=MELS, top_db=RANGE_DB
    )
    drawn = []
    for decibels, piece in zip(np.asarray(found, np.float64), pieces, strict=True):
        inside = decibels[: max(-(-len(piece.audio) // hop), 1)].T[::-1]
        share = np.clip((inside - inside.max()) / RANGE_DB + 1.0, 0.0, 1.0)
        drawn.append(png(np.round(share * (LEVELS - 1)).astype(np.uint8), viridis(LEVELS)))
    return drawn


def viridis(levels: int) -> np.ndarray:
    """uint8 [levels, 3], dark to light."""
    points = np.array([tuple(bytes.fromhex(point)) for point in VIRIDIS.split()], np.float64)
    at = np.linspace(0, len(points) - 1, levels)
    columns = [np.interp(at, np.arange(len(points)), points[:, channel]) for channel in range(3)]
    return np.round(np.stack(columns, axis=1)).astype(np.uint8)


def png(codes: np.ndarray, palette: np.ndarray) -> bytes:
    """A PNG (RFC 2083) of uint8 [rows, columns], each a place in the palette uint8 [up to 256, 3]."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows, columns = codes.shape
    lines = b"".join(b"\0" + line.tobytes() for line in codes)  # 0: the line is not filtered
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)  # 8 bits, by palette
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"PLTE", palette.tobytes())
        + chunk(b"IDAT", zlib.compress(lines, 9))
        + chunk(b"IEND", b"")
    )


def spectrogram(image: bytes, piece: Piece, name: str) -> Html:
    """The picture with its axes."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [inlaid(image, LEFT, TOP, right - LEFT, bottom - TOP)]
    end_s = piece.start_s + piece.duration_s
    for second in ticks(piece.start_s, end_s):
        x = LEFT + (second - piece.start_s) / piece.duration_s * (right - LEFT)
        parts.append(tag("path", class_="axis", d=f"M{x:.1f} {bottom}v4"))
        parts.append(tag("text", tick_text(second), x=x, y=bottom + 15, text_anchor="middle"))
    highest = float(hz_to_mel(piece.sample_rate_hz / 2, "slaney"))
    for frequency in (hz for hz in MARKED_HZ if hz <= piece.sample_rate_hz / 2):
        y = bottom - float(hz_to_mel(frequency, "slaney")) / highest * (bottom - TOP)
        parts.append(tag("path", class_="axis", d=f"M{LEFT} {y:.1f}h-4"))
        parts.append(tag("text", f"{frequency:,}", x=LEFT - 6, y=max(y + 3.5, TOP + 8), text_anchor="end"))
    parts.append(tag("text", "time (s)", x=(LEFT + right) // 2, y=HEIGHT - 4, text_anchor="middle"))
    turned = f"translate(10 {(TOP + bottom) // 2}) rotate(-90)"
    parts.append(tag("text", "frequency (Hz)", transform=turned, text_anchor="middle"))
    label = f"Log-mel spectrogram of {name}, {piece.words}"
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="chart", role="img", aria_label=label)


def thumbnail(image: bytes, piece: Piece, name: str) -> Html:
    """The picture alone, to compare with its neighbours."""
    label = f"Spectrogram of {name}, {piece.words}"
    return tag("svg", inlaid(image, 0, 0, 240, 70), viewBox="0 0 240 70", class_="chart", role="img", aria_label=label)


def inlaid(image: bytes, x: int, y: int, width: int, height: int) -> Html:
    """A PNG as a part of an SVG."""
    href = address("image/png", image)
    return join(tag("image", href=href, x=x, y=y, width=width, height=height, preserveAspectRatio="none"))
