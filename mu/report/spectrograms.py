"""Log-mel spectrograms as pictures: a PNG of each, and where seconds and hertz stand at its sides.

The PNG writer and the colour scale stand here because they take 25 lines, and Pillow and matplotlib are no dependencies
of mu: a picture is a palette of 64 colours and one code a pixel.
"""

import dataclasses
import struct
import zlib
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from mu.audio.mel import hz_to_mel, log_mel
from mu.report.audio import Piece, data_address
from mu.report.charts import Frame, Tick, tick_text, ticks

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
MARKED_HZ = (125, 500, 1000, 2000, 4000, 8000, 16000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spectrogram(Frame):
    """A spectrogram that is ready to be drawn.

    Attributes:
      name: of the clip, and which part of it this is.
      image: `data:` address of its PNG.
      x_name: of the axis across.
      y_name: of the axis upwards.
      x_ticks: seconds.
      y_ticks: hertz.
    """

    name: str
    image: str
    x_name: str
    y_name: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]


def pictures(pieces: Sequence[Piece]) -> list[bytes]:
    """A PNG of each piece: time to the right, mel bands upwards; 70 dB below the loudest is dark.

    All pieces have one sample rate and are computed at once, with a hop that gives the longest 480 columns.
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
    levels = log_mel(
        jnp.asarray(audio), rate, n_fft=n_fft, window_samples=window, hop_samples=hop, n_mels=MELS, top_db=RANGE_DB
    )
    images = []
    for decibels, piece in zip(np.asarray(levels, np.float64), pieces, strict=True):
        inside = decibels[: max(-(-len(piece.audio) // hop), 1)].T[::-1]
        share = np.clip((inside - inside.max()) / RANGE_DB + 1.0, 0.0, 1.0)
        images.append(png(np.round(share * (LEVELS - 1)).astype(np.uint8), viridis(LEVELS)))
    return images


def viridis(levels: int) -> np.ndarray:
    """uint8 [levels, 3]: the colour scale, dark to light."""
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


def spectrogram(image: bytes, piece: Piece, name: str) -> Spectrogram:
    """The picture of a piece with its axes; `name` is that of the clip."""
    frame = Frame(width=360, height=170, left=58, right=352, top=6, bottom=136)
    highest = float(hz_to_mel(piece.sample_rate_hz / 2, "slaney"))
    marked = [hz for hz in MARKED_HZ if hz <= piece.sample_rate_hz / 2]
    seconds = ticks(piece.start_s, piece.start_s + piece.duration_s)
    return Spectrogram(
        **dataclasses.asdict(frame),
        name=f"{name}, {piece.span}",
        image=data_address("image/png", image),
        x_name="time (s)",
        y_name="frequency (Hz)",
        x_ticks=[Tick(frame.across((at - piece.start_s) / piece.duration_s), tick_text(at)) for at in seconds],
        y_ticks=[Tick(frame.up(float(hz_to_mel(hz, "slaney")) / highest), f"{hz:,}") for hz in marked],
    )
