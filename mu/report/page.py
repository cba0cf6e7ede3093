"""The page itself: its head, style and sections, and the pieces that all of them use."""

import re
from collections.abc import Sequence
from pathlib import Path

from mu.report.markup import Child, Html, join, tag

# The browser fetches nothing and runs nothing, whatever a file name may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


def document(title: str, head: Html, sections: Sequence[tuple[str, Html]]) -> str:
    """A whole page: heading, links to the sections, and these under headings.

    Args:
      title: of the page.
      head: what follows the title.
      sections: (heading, content).
    """
    style = re.sub(r"/\*.*?\*/\s*", "", Path(__file__).with_name("page.css").read_text(encoding="utf-8"), flags=re.S)
    links = [tag("li", tag("a", heading, href=f"#{anchor(heading)}")) for heading, _ in sections]
    body = join(
        tag("header", tag("h1", title), head, tag("nav", tag("ul", *links), aria_label="Sections")),
        tag("main", *(section(heading, content) for heading, content in sections)),
    )
    top = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        tag("style", Html(style)),
    )
    return f"<!doctype html>\n{tag('html', tag('head', top), tag('body', body), lang='en')}\n"


def section(heading: str, content: Html) -> Html:
    """A heading that can be linked to, and its content."""
    name = anchor(heading)
    return tag("section", tag("h2", heading, id=name), content, aria_labelledby=name)


def anchor(*words: str) -> str:
    """An id made of words: 'What it is' is 'what-it-is'."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Names and what they are."""
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in pairs))


def notice(text: str, items: Sequence[str] = ()) -> Html:
    """What a reader must know before trusting the page."""
    listed = tag("ul", *(tag("li", item) for item in items)) if items else None
    return tag("div", tag("p", text), listed, class_="notice", role="note")


def scrolling(label: str, content: Html) -> Html:
    """A box that scrolls sideways on its own, by the keyboard too."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def table(label: str, header: Sequence[Child], rows: Sequence[Sequence[Child]]) -> Html:
    """Rows under a header, in a box that scrolls; each row's first cell is its heading."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in header)))
    lines = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    return scrolling(label, tag("table", top, tag("tbody", *lines)))


def figure(title: str, picture: Html, caption: Child = None, legend: Html | None = None) -> Html:
    """A picture under its title, with what is to be said of it."""
    return tag("figure", tag("p", title, class_="title"), picture, legend, caption and tag("figcaption", caption))
