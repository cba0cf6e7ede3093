"""Pages: every value of a template is escaped."""

import jinja2
import pytest

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
