"""The files of a log: those named, those in a folder or a zip archive; and the format of each."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mu.data.logs.importing.archives import in_order, is_zip, member_names
from mu.data.logs.importing.bad_rows import damage_named
from mu.data.logs.importing.formats import FORMATS, NO_PART, LogSource
from mu.data.logs.importing.recognition import SERVICES, extension_format, recognised
from mu.data.options import OptionError

MOST_NAMED = 5
logger = logging.getLogger(__name__)


def find_sources(names: Sequence[str], format: str | None, part: int = NO_PART) -> list[LogSource]:
    """The sources `names`, with the format `format`, else as they are recognised, else by extension (`.gz` is ignored).

    Of a folder or a zip archive these are the files of one service; of an archive also its only file of plays.

    Raises:
      FileNotFoundError: no such file.
      OptionError: nothing in a folder or archive is recognised, or files of several services are; or the extension is
        unknown.
      ValueError: an archive is damaged.
    """
    sources = []
    for name in names:
        if name.startswith("tfds:"):
            sources.append(LogSource(name, "tfds", part))
            continue
        path = Path(name)
        if not path.exists():
            raise FileNotFoundError(f"no file {name}")
        if path.is_dir():
            sources += _of_folder(name, format, part)
        elif is_zip(path):
            sources += _of_archive(name, format, part)
        else:
            sources.append(_of_file(name, format, part))
    for service, words in SERVICES.items():
        if n := sum(source.format == service for source in sources):
            first = next(source.name for source in sources if source.format == service)
            logger.info("%s%s: reads as %s", first, f" and {n - 1} more" if n > 1 else "", words.words)
    return sources


def _of_file(name: str, format: str | None, part: int) -> LogSource:
    chosen = format or recognised(LogSource(name, "")) or extension_format(name)
    if chosen is None:
        raise OptionError(f"{name}: no format is known for this extension; add --format ({', '.join(FORMATS)})")
    return LogSource(name, chosen, part)


def _of_folder(folder: str, format: str | None, part: int) -> list[LogSource]:
    files = in_order(str(path) for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
    known = [file for file in files if extension_format(file)]
    sources = _of_one_service(folder, [LogSource(file, "", part) for file in known], format)
    if not sources:
        raise OptionError(f"{folder} is a folder; name the files in it (a shell pattern such as {folder}/*.csv)")
    return sources


def _of_archive(archive: str, format: str | None, part: int) -> list[LogSource]:
    with damage_named(archive):
        members = member_names(archive)
    files = [LogSource(f"{archive}/{name}", "", part, archive) for name in members if extension_format(name)]
    if sources := _of_one_service(archive, files, format):
        return sources
    formats = [format or extension_format(file.name) for file in files]
    if len(files) != 1 or formats[0] == "parquet":
        what = f"has {len(files)} files of plays" if len(files) > 1 else "has no text file of plays"
        raise OptionError(
            f"{archive} is a zip archive that {what} ({_listed(members)}); unpack it and name the files to import"
        )
    return [LogSource(files[0].name, str(formats[0]), part, archive)]


def _of_one_service(place: str, files: Sequence[LogSource], format: str | None) -> list[LogSource]:
    """Those of the files that are recognised, all of one service; none where none is, or `format` is no service's."""
    if format is not None and format not in SERVICES:
        return []
    service_of = {file: service for file in files if (service := recognised(file))}
    services = [format] if format else list(dict.fromkeys(service_of.values()))
    if len(services) > 1:
        words = " and ".join(SERVICES[service].words for service in services)
        choice = " or ".join(f"--format={service}" for service in services)
        raise OptionError(f"{place} holds {words}, which may say the same plays twice; add {choice}")
    chosen = [file for file, service in service_of.items() if service in services]
    if chosen and (others := [file.name for file in files if service_of.get(file) not in services]):
        logger.info("%s: not read, since they are no plays of this kind: %s", place, _listed(others))
    return [LogSource(file.name, services[0] or "", file.part, file.archive) for file in chosen]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
