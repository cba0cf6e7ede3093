"""The licence of published weights, from the model card beside them."""

from pathlib import Path
from typing import Any

import yaml

CARD = "README.md"
FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt")


def licence_of(folder: Path) -> dict[str, Any]:
    """The licence of the weights in a folder.

    Returns:
      'name' (`license` of README.md's front matter, or the first line of the licence's file), 'link' (`license_link`,
      or None) and 'file' (that says so).

    Raises:
      ValueError: neither README.md nor a file such as LICENSE says it; says what to do.
    """
    front = _front_matter(folder / CARD)
    if front.get("license"):
        name = front["license"] if isinstance(front["license"], str) else ", ".join(map(str, front["license"]))
        if name == "other" and front.get("license_name"):
            name = front["license_name"]
        return {"name": str(name), "link": front.get("license_link"), "file": CARD}
    for name in FILES:
        path = folder / name
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
        if first := next(filter(None, (line.strip() for line in lines)), None):
            return {"name": first, "link": None, "file": name}
    raise ValueError(
        f"{folder} does not say under which licence its weights are: put the model's own {CARD} there (its front "
        "matter has a line `license: ...`), or its LICENSE"
    )


def _front_matter(path: Path) -> dict[str, Any]:
    """What stands between the two lines `---` at the top of a model card; nothing where there is none."""
    if not path.is_file():
        return {}
    begin, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if begin.strip() != "---" or "---" not in (stripped := [line.strip() for line in lines]):
        return {}
    try:
        front = yaml.safe_load("\n".join(lines[: stripped.index("---")]))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: what stands between its first two lines `---` is not YAML: {error}") from None
    return front if isinstance(front, dict) else {}
