"""Files as bad disks and half-done copies leave them: cut, flipped, empty, gone, or another's."""

import contextlib
import random

KINDS = ("truncate", "flip", "empty", "delete", "swap")


@contextlib.contextmanager
def damaged(path, kind, others, seed=0):
    """The file is damaged inside of the context; yields whether it is another one than before."""
    content, generator = path.read_bytes(), random.Random(f"{path.name} {kind} {seed}")
    if kind == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "delete":
        path.unlink()
    elif kind == "flip":
        place = generator.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :])
    else:
        alike = [other for other in others if other != path and other.suffix == path.suffix]
        path.write_bytes(generator.choice(alike or [other for other in others if other != path]).read_bytes())
    try:
        yield not path.exists() or path.read_bytes() != content
    finally:
        path.write_bytes(content)


def files_below(folder, *unread):
    """All files of a folder, less those whose name is in `unread`: nothing is computed from them."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in unread]


def check_all(folder, use, unread=(), may_be_gone=(), kinds=KINDS):
    """Damages each file in each way: `use(folder)` must say which file it is, in three lines, or do as before.

    Args:
      folder: what mu wrote.
      use: reads it, and returns numbers that depend on all of it.
      unread: names of files that are for people.
      may_be_gone: names of files without which `use` does as well, but for a warning.
      kinds: of damage.

    Returns:
      How many damages were refused.
    """
    before, files, refused = use(folder), files_below(folder, *unread), 0
    for path in files:
        for kind in kinds:
            with damaged(path, kind, files) as differs:
                if not differs:
                    continue
                try:
                    after = use(folder)
                except (ValueError, OSError) as error:
                    refused += 1
                    assert path.name in str(error), f"{kind} {path}: {error!r}"
                    assert str(error).count("\n") < 3, f"{kind} {path}: {error!r}"
                else:
                    gone = kind == "delete" and path.name in ("hashes.json", *may_be_gone)
                    assert after == before or gone, f"{kind} {path}: {after} instead of {before}"
                    assert gone, f"{kind} {path} is not noticed"
    assert use(folder) == before
    return refused
