"""The sections at the end of every page: how the training went, what was run, and how to run it again."""

from mu.report.page import Section
from mu.report.read import RunFacts
from mu.report.training import training


def run_details(facts: RunFacts) -> list[Section]:
    """Training, facts, config and command of a run."""
    sections = [
        Section("Training", "training.html", training(facts.curves, facts.chosen, facts.step)),
        Section("What was run", "facts.html", facts.facts),
        Section("Config", "text.html", facts.config_text),
    ]
    if facts.command:
        sections.append(Section("Run it again", "text.html", facts.command))
    return sections
