"""A folder of audio files; the first folder below it is a clip's label."""

import collections
import operator
import os
from collections.abc import Iterator

import polars as pl

from mu.data.clips.importing.scan import Files
from mu.data.clips.importing.source import MISSING, AudioSource, clip_table
from mu.data.faults import Fault

# What libsndfile decodes, and what it does not but a library may hold: those are named in the ledger, not passed over.
DECODED = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".mpga"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64"),
)
# What other systems leave beside files and in folders of their own; none of it is music.
_FOREIGN_FOLDERS = frozenset(
    ("__MACOSX", "@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "$RECYCLE.BIN", "lost+found")
)
_FOREIGN_FILES = {
    "._": "._* (macOS)",
    ".": ".* (hidden)",
    "~syncthing~": "~syncthing~* (temporary)",
}
NOT_DECODED = (".m4a", ".m4b", ".aac", ".wma", ".ape", ".wv", ".mpc", ".mka", ".dsf", ".alac", ".tta")


def find(name: str) -> AudioSource:
    """All audio files below a folder, behind links too; 'rock/a/b.wav' has the label 'rock', 'b.wav' none.

    Raises:
      ValueError: there is none.
    """
    listed: list[tuple[str, int, int]] = []
    unnamed: list[tuple[str, Fault]] = []
    ignored: collections.Counter[str] = collections.Counter()
    for path, status in _walk(name, unnamed, ignored):
        extension = os.path.splitext(path)[1].lower()
        foreign = next((why for start, why in _FOREIGN_FILES.items() if os.path.basename(path).startswith(start)), None)
        if foreign or extension not in DECODED + NOT_DECODED:
            ignored[foreign or _shown(extension) or "no extension"] += 1
        elif not _is_text(path):
            unnamed.append((_shown(path), Fault("undecodable", "its name is not UTF-8; rename it")))
        else:
            listed.append((path, status.st_size, status.st_mtime_ns) if status else (path, MISSING, 0))
    if not listed and not unnamed:
        others = ", ".join(f"{n:,} {kind}" for kind, n in ignored.most_common(3)) or "it is empty"
        raise ValueError(f"there is no audio below {name} ({others}); audio is {' '.join(DECODED)}")
    clips, root = clip_table(listed), os.path.abspath(name)
    label = pl.col("clip").str.extract("^([^/]+)/").alias("label")
    return AudioSource(f"folder {root}", name, clips, clips.select("clip", label), unnamed, dict(ignored), Files(root))


def _walk(
    root: str, unreadable: list[tuple[str, Fault]], ignored: collections.Counter[str]
) -> Iterator[tuple[str, os.stat_result | None]]:
    """Every file below `root`, its path from there (None: a link to nothing); each folder once.

    Hidden folders and those that other systems leave are not entered; they are counted in `ignored`.

    A folder's path is the real one, or where it lies outside `root` that of one link to it: the same one, whatever
    order the system lists them in.
    """
    seen: set[tuple[int, int]] = set()
    folders, links = [""], collections.deque[str]()
    while folders or links:
        prefix = folders.pop() if folders else links.popleft()
        folder = os.path.join(root, prefix)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=operator.attrgetter("name"))
        except OSError as error:
            if not prefix:
                raise
            unreadable.append((_shown(prefix), Fault("undecodable", f"the folder cannot be read ({error.strerror})")))
            continue
        for entry in entries:
            path = prefix + entry.name
            try:
                if entry.is_dir():
                    if entry.name.startswith(".") or entry.name in _FOREIGN_FOLDERS:
                        ignored[f"{_shown(entry.name)}/"] += 1
                    else:
                        (links if entry.is_symlink() else folders).append(f"{path}/")
                elif entry.is_file():
                    yield path, entry.stat()
                elif entry.is_symlink() and not os.path.exists(os.path.join(folder, entry.name)):
                    yield path, None
                elif os.path.splitext(entry.name)[1].lower() in DECODED:
                    unreadable.append((_shown(path), Fault("undecodable", "it is a pipe, a socket or a device")))
                else:
                    ignored["pipes, sockets and devices"] += 1
            except OSError as error:  # such as a link to itself; it might be a folder, whatever its name ends in
                if not entry.name.startswith("."):
                    unreadable.append((_shown(path), Fault("undecodable", f"it cannot be read ({error.strerror})")))


def _is_text(name: str) -> bool:
    """Whether a file's name is valid UTF-8: Python keeps other bytes as lone surrogates, which no table can hold."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _shown(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
