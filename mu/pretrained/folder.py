"""Published audio encoders in a folder: which one it is, its model, weights and licence."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from flax import nnx

from mu.pretrained import basic_pitch, musicnn, pitch_networks, spectrogram_transformer
from mu.pretrained.licence import licence_of
from mu.pretrained.settings import CONFIG, WEIGHTS, Settings

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
# model_type of config.json -> what reads such a folder.
ARCHITECTURES = {
    musicnn.MODEL_TYPE: musicnn.load,
    spectrogram_transformer.MODEL_TYPE: spectrogram_transformer.load,
    basic_pitch.MODEL_TYPE: basic_pitch.load,
    pitch_networks.PESTO: pitch_networks.load_pesto,
    pitch_networks.CREPE: pitch_networks.load_crepe,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained:
    """A published audio encoder.

    Attributes:
      graph: of a model that returns 'clip' [B, D] for 'audio' [B, N] and 'samples' [B].
      params: its values.
      options: what the model was built from, JSON.
      sample_rate_hz: of the audio.
      tile_samples: N.
      licence: 'name', 'link' and 'file' (`mu.pretrained.licence`).
    """

    graph: nnx.GraphDef
    params: dict[str, Any]
    options: dict[str, Any]
    sample_rate_hz: int
    tile_samples: int
    licence: dict[str, Any]


def is_pretrained(path: str | os.PathLike[str]) -> bool:
    """Whether it is a folder of published weights, or a file in one: no run of `mu train`."""
    path = Path(path)
    if path.is_file():
        return path.suffix in (".safetensors", *PICKLES)
    if (path / WEIGHTS).is_file():
        return True
    return (path / CONFIG).is_file() and '"model_type"' in (path / CONFIG).read_text(encoding="utf-8", errors="replace")


def load(path: str | os.PathLike[str]) -> Pretrained:
    """The encoder whose files lie in a folder.

    Raises:
      ValueError: the files are damaged, do not belong together, are of an architecture that is not known, or do not
        say their licence.
      FileNotFoundError: a file is missing.
    """
    folder = Path(path)
    if folder.is_file():
        raise ValueError(f"{folder} is a file: give the folder, which has {CONFIG} and {WEIGHTS}")
    settings = Settings(folder / CONFIG)
    if not (folder / WEIGHTS).is_file():
        raise FileNotFoundError(f"{folder / WEIGHTS} is missing{_other_weights(folder)}")
    kind = settings.value("model_type")
    if kind not in ARCHITECTURES:
        raise ValueError(f"{settings.path}: model_type={kind!r}; known: {', '.join(ARCHITECTURES)}")
    licence = licence_of(folder)
    graph, params, options, front_end = ARCHITECTURES[kind](folder)
    options = {"model_type": kind, **options, "front_end": dataclasses.asdict(front_end)}
    return Pretrained(graph, params, options, front_end.sample_rate_hz, front_end.tile_samples, licence)


def _other_weights(folder: Path) -> str:
    """What to add to the message on missing weights: which files are there instead, and what to do."""
    names = sorted(one.name for one in folder.iterdir())
    tensors = [name for name in names if name.endswith(".safetensors")]
    if len(tensors) > 1:
        return f" ({', '.join(tensors)} are there): weights in several files are not read; join them in one {WEIGHTS}"
    if tensors:
        return f" ({tensors[0]} is there): if it is the whole model, rename it to {WEIGHTS}"
    pickles = [name for name in names if Path(name).suffix in PICKLES]
    why = f" ({', '.join(pickles)} is not read: a pickle can run commands)" if pickles else ""
    return f"{why}: take the safetensors file of the model"
