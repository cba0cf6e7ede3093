"""A package like `musicnn`, with random weights, to import weights from."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from mu.pretrained.crc32c import crc32c, masked
from mu.pretrained.musicnn import build
from mu.pretrained.sources import musicnn
from mu.pretrained.values import shapes_of
from tests.helpers.checkpoints import checkpoint

TAGS = ("rock", "no vocals", "harp")
CONFIGURATION = f"import gone_with_the_wind\n\nN_MELS = 96\nMSD_LABELS = {list(TAGS)!r}\nMTT_LABELS = ['a', 'b', 'c']\n"
LICENCE = "Copyright (c) Somebody 2019\n\nPermission to use, copy, modify ...\n"


def tensors() -> dict[str, np.ndarray]:
    """By the names of the checkpoint, and of its optimizer."""
    random, made = np.random.default_rng(11), {}
    shapes = shapes_of(lambda: build(musicnn.FRONT_END, len(TAGS)))
    for name, other in musicnn.tensor_names().items():
        shape = shapes[name]
        shape = (shape[0], shape[1], 1, shape[2]) if name.startswith("mid.") and name.endswith("kernel") else shape
        low = 0.5 if name.endswith(("variance", "scale")) else -1.0
        made[other] = (random.uniform(low, 1.0, shape) / np.sqrt(max(np.prod(shape[:-1]), 1))).astype(np.float32)
    return made | {"dense/kernel/Adam": np.ones(3, np.float32), "beta1_power": np.ones((), np.float32)}


def write(root: Path, values: dict[str, np.ndarray]) -> Path:
    """What a wheel unpacks to: the package, which cannot be imported, and its metadata."""
    folder = root / "musicnn" / "MSD_musicnn"
    folder.mkdir(parents=True)
    index, data = checkpoint(values, checksum=lambda content: masked(crc32c(content)))
    (folder / ".index").write_bytes(index)
    (folder / ".data-00000-of-00001").write_bytes(data)
    (folder / "config.json").write_text(json.dumps({**musicnn.TRAINING, "audio_rep": musicnn.AUDIO, "epochs": 600}))
    (root / "musicnn" / "configuration.py").write_text(CONFIGURATION)
    (root / "musicnn" / "__init__.py").write_text("raise RuntimeError('it must not be imported')\n")
    (root / "musicnn-0.1.0.dist-info").mkdir()
    (root / "musicnn-0.1.0.dist-info" / "LICENSE.md").write_text(LICENCE)
    return root


def zipped(root: Path, path: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    """The wheel of an unpacked package."""
    with zipfile.ZipFile(path, "w", compression) as wheel:
        for one in sorted(root.rglob("*")):
            if one.is_file():
                wheel.write(one, one.relative_to(root).as_posix())
    return path


def flipped(archive: bytes, member: str) -> bytes:
    """A zip archive whose member has its first eight bytes changed."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        start = file.getinfo(member).header_offset
    # A local header has 30 bytes, the last four of which say how long the name and the extra field are.
    lengths = (int.from_bytes(archive[start + at : start + at + 2], "little") for at in (26, 28))
    begin = start + 30 + sum(lengths)
    return archive[:begin] + bytes(byte ^ 0xFF for byte in archive[begin : begin + 8]) + archive[begin + 8 :]
