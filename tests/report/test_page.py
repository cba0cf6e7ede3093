"""Pages: every value of a template is escaped."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

import mu.report.page
from mu.report.page import Notice, Section, coordinate, environment, render


def test_every_value_of_a_page_is_escaped():
    nasty = "<i>&\"'"
    page = render(nasty, [(nasty, nasty)], [Notice(nasty, [nasty])], [Section(nasty, "config.html", nasty)])
    assert "<i>" not in page and page.count("&lt;i&gt;&amp;&#34;&#39;") == 9
    assert Section("What it is", "config.html", "").anchor == "what-it-is"


def test_a_name_that_a_template_misspells_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ missing }}").render()


def test_coordinates_have_two_decimals_at_the_most():
    assert [coordinate(value) for value in (3, 1.5, 0.001, -0.001, 1 / 3, 1200.0, 100)] == [
        "3", "1.5", "0", "0", "0.33", "1200", "100",
    ]  # fmt: skip


def test_templates_leave_no_value_unescaped_and_no_address_to_a_value():
    """Values stand in texts and between quotes only; addresses are places in the page, or sound and pictures in it."""
    folder = Path(mu.report.page.__file__).parent / "templates"
    files = sorted(folder.glob("*.html"))
    assert len(files) > 10 and "{{" not in (folder / "page.css").read_text()
    addresses = {'"#{{ section.anchor }}"', '"#{{ point.link }}"', '"{{ one.image }}"', '"{{ piece.address }}"'}
    for path in files:
        text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
        assert not re.search(r"\|\s*safe|autoescape|Markup|<script|\son\w+=", text), path.name
        for tag in re.findall(r"<[a-z](?:\"[^\"]*\"|\{%.*?%\}|[^>\"])*>", text):
            outside = re.sub(r"\{%.*?%\}", "", re.sub(r"\"[^\"]*\"", "", tag))
            assert "{{" not in outside, f"{path.name}: {tag}"
            found = set(re.findall(r"(?:href|src|action|poster|data)=(\"[^\"]*\"|\S+)", tag))
            assert found <= addresses, f"{path.name}: {tag}"


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        "</style><style>*{display:none}",
        "\"'><img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "</title></pre></section><b>",
        "\u202eevil\u2066\u2069",
        "{{ 7 * 7 }}{% raw %}",
        "&lt;i&gt;&amp;",
        "long" * 5000,
    ],
)
def test_a_payload_in_every_field_is_text_of_the_page(payload):
    table = SimpleNamespace(label=payload, header=[payload] * 2, rows=[(payload, payload, [])])
    sections = [
        Section(payload, "config.html", payload),
        Section("Metrics", "clip_metrics.html", SimpleNamespace(table=table, note=payload)),
    ]
    page = render(payload, [(payload, payload)], [Notice(payload, [payload])], sections)
    harmless = render("x", [("x", "x")], [Notice("x", ["x"])], [
        Section("x", "config.html", "x"),
        Section("Metrics", "clip_metrics.html", SimpleNamespace(
            table=SimpleNamespace(label="x", header=["x"] * 2, rows=[("x", "x", [])]), note="x")),
    ])  # fmt: skip
    found, plain = Elements(), Elements()
    found.feed(page)
    plain.feed(harmless)
    assert found.names == plain.names and found.attributes == plain.attributes
    assert found.texts.count(payload) == plain.texts.count("x") > 8
    assert not any(value.startswith("javascript:") for value in found.addresses)


class Elements(HTMLParser):
    """The elements of a page, the names of their attributes, its texts and its addresses."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.names, self.attributes, self.texts, self.addresses = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes.append([name for name, _ in attrs])
        self.addresses += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.texts.append(data)
