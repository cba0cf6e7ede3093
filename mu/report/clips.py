"""The page of a run on audio: results, training, each target, nearest neighbours, a map."""

import dataclasses
from collections.abc import Mapping, Sequence

from mu.report.clip_media import Media, media_of
from mu.report.clip_run import ClipRun
from mu.report.clip_space import map_of_clips, neighbourhoods, neighbours
from mu.report.clip_tables import Confusion, Scatters, Table, metrics_table, per_class
from mu.report.columns import words_of
from mu.report.details import head_of, notices_of, results, run_details
from mu.report.page import Section, render
from mu.report.seeds import Seeds
from mu.report.target_view import Score

HARDEST, HARDEST_IN_ALL = 8, 24


@dataclasses.dataclass(frozen=True, eq=False)
class Card:
    """A clip with its prediction.

    Attributes:
      clip: its id.
      anchor: id of the card; None where the clip has one already.
      right: whether the prediction is right; None where that is a matter of degree.
      verdict: on the prediction, in words.
      media: None where the clip cannot be read.
      scores: the classes, tags or numbers worth showing.
      baselines: verdicts of the baselines.
    """

    clip: str
    anchor: str | None
    right: bool | None
    verdict: str
    media: Media | None
    scores: Sequence[Score]
    baselines: Sequence[str]


@dataclasses.dataclass(frozen=True, eq=False)
class TargetSection:
    """The data of the section about a target.

    Attributes:
      confusion: of classes, else None.
      scatters: of numbers, else None.
      each: heading of the table.
      table: metrics of each class, tag or number.
      order: sentences about the order of the cards.
      columns: heads of the table of a card.
      cards: the clips with the largest errors.
      sound: whether any clip of the run can be read.
    """

    confusion: Confusion | None
    scatters: Scatters | None
    each: str
    table: Table
    order: str
    columns: Sequence[str]
    cards: Sequence[Card]
    sound: bool


@dataclasses.dataclass(frozen=True)
class Metrics:
    """The data of the section about the result.

    Attributes:
      table: every metric.
      note: how to read it.
    """

    table: Table
    note: str


def page(run: ClipRun, seeds: Seeds | None = None) -> str:
    """The whole page, a function of the run alone; afterwards `run.sounds.lost` names the clips that cannot be read."""
    model = run.views["model"]
    each = min(HARDEST, HARDEST_IN_ALL // len(model))
    hardest = {target: view.by_error(run.clips)[:each] for target, view in model.items()}
    groups = neighbourhoods(run)
    cards = [row for rows in hardest.values() for row in rows]
    media = media_of(run.sounds, run.clips, cards + [row for query, others in groups for row in _rows(query, others)])
    anchors = {row: f"clip-{place}" for place, row in enumerate(dict.fromkeys(cards))}

    facts = run.facts
    sections = []
    remaining = dict(anchors)
    for target, view in model.items():
        title = f"{target}: {view.many.format(len(view.predictions.names))}"
        sections.append(Section(title, "clip_target.html", _target(run, target, hardest[target], media, remaining)))
        remaining = {row: anchor for row, anchor in remaining.items() if row not in hardest[target]}
    if groups:
        sections.append(Section("Nearest neighbours", "clip_neighbours.html", neighbours(run, groups, media)))
    sections += results(run.compared, seeds, run.name)
    details = [Section("All metrics", "clip_metrics.html", _metrics(run))]
    if run.embedded is not None:
        details.append(Section("Map of the test clips", "map.html", map_of_clips(run, anchors)))
    head = head_of(facts, run.compared, seeds)
    notices = notices_of(facts.problems, run.sounds.lost, "clips")
    return render(head, notices, sections, [*details, *run_details(facts)], sound=bool(run.sounds))


def _rows(query: int, others: Sequence[tuple[int, float]]) -> list[int]:
    return [query, *(row for row, _ in others)]


def _metrics(run: ClipRun) -> Metrics:
    words = (
        f"{len(run.clips):,} test clips. Brackets and bars: 95 % bootstrap interval over {run.resampled}. Larger is "
        "better; bars go from 0 to 1, of correlation and R² from -1 to 1."
    )
    if run.pooled:
        words += (
            " ROC-AUC, average precision and correlation put the clips of all folds in one order, though each fold's "
            "model is calibrated on its own: they may be lower than within a fold."
        )
    return Metrics(metrics_table(run.metrics), words)


def _target(
    run: ClipRun, target: str, rows: Sequence[int], media: Mapping[int, Media], anchors: Mapping[int, str]
) -> TargetSection:
    view = run.views["model"][target]
    order = view.order
    if run.sounds:
        order += " Sound and picture are what the model was given; frequency is on the mel scale."
    return TargetSection(
        confusion=view.confusion(target),
        scatters=view.scatters(target, run.details),
        each=f"Each {view.word}",
        table=per_class(view.predictions, view.word, target, run.details),
        order=order,
        columns=view.columns,
        cards=[_card(run, target, row, media.get(row), anchors.get(row)) for row in rows],
        sound=bool(run.sounds),
    )


def _card(run: ClipRun, target: str, row: int, media: Media | None, anchor: str | None) -> Card:
    view = run.views["model"][target]
    right, words = view.verdict(row)
    scores = [view.score(row, place) for place in view.listed_places(row)]
    others = [(words_of(name), views[target]) for name, views in run.views.items() if name != "model"]
    baselines = [f"{name}: {other.verdict(row)[1]}" for name, other in others]
    return Card(run.clips[row], anchor, right, words, media, scores, baselines)
