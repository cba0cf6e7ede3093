"""Pages: every value of a template is escaped."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

import mu.report.page
from mu.report.page import Head, Notice, Section, coordinate, environment, render, script_hash


def test_every_value_of_a_page_is_escaped():
    nasty = "<i>&\"'"
    section = Section(nasty, "text.html", nasty)
    page = render(Head(nasty, [nasty]), [Notice(nasty, [nasty])], [section], [section])
    assert "<i>" not in page and page.count("&lt;i&gt;&amp;&#34;&#39;") == 10
    assert Section("What it is", "text.html", "").anchor == "what-it-is"
    assert Section("Настроение: 楽しい", "text.html", "").anchor == "настроение-楽しい"


def test_the_one_script_is_the_one_that_the_page_allows():
    page = render(Head("t"), [], [], sound=True)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (text,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{digest}'") and script_hash() == f"sha256-{digest}"
    assert text.startswith("//") and "</" not in text and "innerHTML" not in text
    silent = render(Head("t"), [], [])
    assert "<script" not in silent and "script-src" not in silent


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
    addresses = {
        '"#details"',
        '"#{{ section.anchor }}"',
        '"#{{ point.link }}"',
        '"{{ one.image }}"',
        '"{{ piece.address }}"',
    }
    for path in files:
        text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
        assert not re.search(r"\|\s*safe|autoescape|Markup|\son\w+=", text), path.name
        assert re.findall(r"<script[^<]*<", text) == (
            ['<script>{% include "players.js" %}<'] if path.name == "page.html" else []
        )
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
        Section(payload, "text.html", payload),
        Section("Metrics", "clip_metrics.html", SimpleNamespace(table=table, note=payload)),
    ]
    page = render(Head(payload, [payload]), [Notice(payload, [payload])], sections, sections)
    plain_table = SimpleNamespace(label="x", header=["x"] * 2, rows=[("x", "x", [])])
    others = [
        Section("x", "text.html", "x"),
        Section("Metrics", "clip_metrics.html", SimpleNamespace(table=plain_table, note="x")),
    ]
    harmless = render(Head("x", ["x"]), [Notice("x", ["x"])], others, others)
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
