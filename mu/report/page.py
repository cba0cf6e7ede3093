"""Pages from jinja2 templates: one HTML file in which every value is escaped, and that fetches and runs nothing."""

import dataclasses
import functools
import re
from collections.abc import Sequence

import jinja2


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
        return re.sub(r"[^a-z0-9]+", "-", self.heading.lower()).strip("-")


@dataclasses.dataclass(frozen=True)
class Notice:
    """A warning at the top of a page.

    Attributes:
      text: the sentence.
      items: a list below it.
    """

    text: str
    items: Sequence[str] = ()


def render(title: str, facts: Sequence[tuple[str, str]], notices: Sequence[Notice], sections: Sequence[Section]) -> str:
    """A whole page: its title, facts, notices, links to the sections, and the sections.

    Args:
      title: heading of the page.
      facts: (name, value) of what was run.
      notices: what is missing from the page, and why.
      sections: in the order of the page.
    """
    template = environment().get_template("page.html")
    return template.render(title=title, facts=facts, notices=notices, sections=sections)


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


def coordinate(value: float) -> str:
    """A number with two decimals at the most: pictures need no more."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
