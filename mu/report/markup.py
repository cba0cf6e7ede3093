"""HTML and SVG by construction: every string is text, and escaped, unless it is `Html` already."""

import html
from typing import TypeAlias


class Html(str):
    """Markup."""


Child: TypeAlias = "str | int | float | None"
Attribute: TypeAlias = "str | int | float | bool | None"

# Elements that have no content, hence no end tag.
VOID = frozenset({"meta", "br", "col"})


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """<name attribute="...">children</name>.

    Args:
      name: of the element.
      children: `Html` as it is, other strings escaped, numbers as `number` writes them, None left out.
      attributes: `class_` is class, `aria_label` is aria-label; True is the bare name, None and False are left out.
    """
    said = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """One after the other, escaped as by `tag`."""
    return Html("".join(_text(child) for child in children))


def number(value: float) -> str:
    """With two decimals at the most: coordinates of a picture need no more."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    return html.escape(child if isinstance(child, str) else number(child))
