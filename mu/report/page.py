"""Pages from jinja2 templates: one HTML file in which every value is escaped, and that fetches nothing.

The only script is `templates/players.js`, of pages with sound, which they allow by its hash. Without it a page shows
the same, with the browser's own players.
"""

import base64
import dataclasses
import functools
import hashlib
import re
from collections.abc import Sequence

import jinja2

from mu.report.tiles import Tile
from mu.report.verdict import Verdict

SCRIPT = "players.js"


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page under a heading.

    Attributes:
      heading: what the section and the link to it are called.
      template: name of a file in `templates/`, which reads `section.view`.
      view: what the template shows.
    """

    heading: str
    template: str
    view: object

    @property
    def anchor(self) -> str:
        """The id of the heading: 'What it is' is 'what-it-is'."""
        return re.sub(r"[\W_]+", "-", self.heading.lower()).strip("-")


@dataclasses.dataclass(frozen=True)
class Notice:
    """A warning at the top of a page.

    Attributes:
      text: the sentence.
      items: a list below it.
    """

    text: str
    items: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Head:
    """What a page begins with.

    Attributes:
      title: heading of the page.
      about: date and size of what was run, in a line each.
      verdict: on the model; None where there is nothing to compare.
      tiles: its main numbers.
    """

    title: str
    about: Sequence[str] = ()
    verdict: Verdict | None = None
    tiles: Sequence[Tile] = ()


def render(
    head: Head,
    notices: Sequence[Notice],
    sections: Sequence[Section],
    details: Sequence[Section] = (),
    *,
    sound: bool = False,
) -> str:
    """A whole page.

    Args:
      head: what it begins with.
      notices: what is missing from the page, and why.
      sections: in the order of the page.
      details: below them, folded until they are opened.
      sound: whether there are players; only then the page has a script.
    """
    template = environment().get_template("page.html")
    return template.render(
        head=head,
        notices=notices,
        sections=sections,
        details=details,
        script_hash=script_hash() if sound else "",
    )


@functools.cache
def environment() -> jinja2.Environment:
    """The templates of this package: values are escaped, and a name that a template misspells is an error."""
    loaded = jinja2.Environment(
        loader=jinja2.PackageLoader("mu.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loaded.filters["coordinate"] = coordinate
    return loaded


@functools.cache
def script_hash() -> str:
    """'sha256-...': the only script that the page's policy lets the browser run."""
    text = environment().get_template(SCRIPT).render()
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def coordinate(value: float) -> str:
    """A number with two decimals at the most: pictures need no more."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
