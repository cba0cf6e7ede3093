"""What every page begins and ends with: verdict and tiles; results, training, what was run, and how to run it again."""

from collections.abc import Mapping, Sequence

from mu.report.comparison import Comparison
from mu.report.comparison_table import comparison_table
from mu.report.page import Head, Notice, Section
from mu.report.read import RunFacts
from mu.report.seeds import Seeds, seed_tables
from mu.report.tiles import tiles
from mu.report.training import training
from mu.report.verdict import verdict

LOST_LISTED = 20


def head_of(facts: RunFacts, compared: Comparison, seeds: Seeds | None) -> Head:
    """Title, date and size, verdict and tiles.

    Args:
      facts: of the run.
      compared: its model beside the others.
      seeds: of a cross-validation, whose first seed the page shows; None for a run.
    """
    about = facts.about if seeds is None else [*facts.about, f"{seeds.words}; shown: seed {seeds.seeds[0]}"]
    return Head(facts.title, about, verdict(compared), tiles(compared))


def results(compared: Comparison, seeds: Seeds | None, evaluation: str) -> list[Section]:
    """The table of an evaluation, and of a cross-validation all seeds of it.

    Args:
      compared: the model beside the others.
      seeds: of a cross-validation; None for a run.
      evaluation: its name.
    """
    sections = [Section("Results", "comparison.html", comparison_table(compared))]
    if seeds is not None:
        tables = seed_tables(seeds, evaluation, (*compared.columns, *compared.more))
        sections.append(Section("All seeds and folds", "metric_tables.html", tables))
    return sections


def notices_of(problems: Sequence[str], lost: Mapping[str, str], what: str) -> list[Notice]:
    """What is missing from a page and why.

    Args:
      problems: a sentence each.
      lost: id -> why it can no longer be read.
      what: is lost: 'clips'.
    """
    notices = [Notice(problem) for problem in problems]
    if lost:
        lines = [f"{name}: {reason}" for name, reason in lost.items()]
        more = [f"and {len(lines) - LOST_LISTED:,} more"] if len(lines) > LOST_LISTED else []
        notices.append(Notice(f"{len(lines):,} {what} can no longer be read:", [*lines[:LOST_LISTED], *more]))
    return notices


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
