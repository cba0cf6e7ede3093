"""What the page of a run on listening holds, in its order."""

from collections import Counter
from collections.abc import Sequence

from mu.evals.plays import AGES
from mu.report.audio import player
from mu.report.categories import Estimate, category_chart
from mu.report.charts import COLOURS, DASHES, SHAPES, cloud, line_legend, marker_legend
from mu.report.listening_run import ListeningRun, Newcomer, Shown, Story
from mu.report.markup import Html, join, tag
from mu.report.neighbours import principal_plane
from mu.report.page import document, facts, figure, notice, table
from mu.report.training import training

SECTIONS = (*AGES, "discovery")
AGE_NAMES = {"discovery": "known"}
# Of the lines of the chart, in this order, those that the evaluation has.
LINES = ("model", "oracle", "id_only", "popularity", "artist_popularity")
SECTION_WORDS = (
    "Each play of the test is ranked when it happened. discovery: tracks that training knows and the listener has not "
    "played, among all not played. repeat: tracks that the listener has played, among those. day 0 and so on: tracks "
    "that came out after training ended, by their age, among all not played; new: the same plays among the tracks that "
    "came out after training ended. Brackets: 95 % bootstrap intervals over listeners."
)
BOOST_WORDS = (
    "model shows tracks in their first week with a boost of {boost:g}: the largest whose cost for known tracks on the "
    "validation part is within what the config allows. model_unboosted is without."
)
REASONS_WORDS = "What speaks for a track are the largest parts of its score, beyond what they are for the mean track."


def page(run: ListeningRun) -> str:
    """The whole page, a function of the run alone."""
    sections = [("Result", _result(run)), ("Training", training(run.curves, run.chosen, run.step))]
    if run.story is not None:
        sections.append(("One listener", _story(run, run.story)))
    if run.newcomer is not None:
        sections.append(("A new track, and who should hear it", _newcomer(run, run.newcomer)))
    if run.vectors is not None:
        sections.append(("Map of the tracks", _map(run)))
    config = tag("details", tag("summary", "All keys of the config"), tag("pre", run.config, tabindex="0"))
    sections.append(("Config", config))
    top = join(facts(run.facts), *(notice(problem) for problem in run.problems))
    return document(run.title, top, sections)


def _result(run: ListeningRun) -> Html:
    about = run.about
    metric = next(iter(next(iter(about["rows"]["model"].values()))))
    lines = [name for name in LINES if name in about["rows"]][: len(DASHES)]
    ages = [age for age in SECTIONS if age in about["sections"]]

    def estimate(row: str, section: str, name: str) -> Estimate:
        found = about["rows"][row][section][name]
        return found["mean"], found["low"], found["high"]

    parts = []
    if ages:
        series = {row: [estimate(row, age, metric) for age in ages] for row in lines}
        names = [AGE_NAMES.get(age, age) for age in ages]
        said = "; ".join(f"{row}: " + ", ".join(f"{one[0]:.2f}" for one in points) for row, points in series.items())
        chart = category_chart(series, names, metric, f"{metric} by the age of the track ({', '.join(names)}). {said}.")
        words = (
            "Age on the day of the play of tracks that came out after training ended; 'known' were there before. "
            "Bars: 95 % intervals."
        )
        parts.append(figure("By the age of the track", chart, words, line_legend(lines)))
    for name in next(iter(about["rows"]["model"].values())):
        lines = [
            [f"{section} ({count:,})", *(_cell(estimate(row, section, name)) for row in about["rows"])]
            for section, count in about["sections"].items()
        ]
        parts.append(join(tag("h3", name), table(name, ["plays", *about["rows"]], lines)))
    boosted = "model_unboosted" in about["rows"]
    said = BOOST_WORDS.format(boost=about["fresh_boost"]) if boosted else None
    return join(*parts, tag("p", SECTION_WORDS, class_="soft small"), said and tag("p", said, class_="soft small"))


def _cell(found: Estimate) -> Html:
    return join(f"{found[0]:.3f} ", tag("span", f"[{found[1]:.3f}, {found[2]:.3f}]", class_="interval"))


def _story(run: ListeningRun, story: Story) -> Html:
    heard = [_card(run, shown) for shown in story.history]
    recommended = [_card(run, shown, place) for place, shown in enumerate(story.recommended, 1)]
    return join(
        tag(
            "p",
            f"{story.listener}{', ' + story.about if story.about else ''}: {story.n_plays:,} plays before the test.",
        ),
        tag("p", story.chosen, class_="soft"),
        tag("h3", "Played last"),
        tag("div", *heard, class_="grid"),
        tag("h3", "Recommended"),
        tag("p", REASONS_WORDS, class_="soft") if any(shown.reasons for shown in story.recommended) else None,
        tag("div", *recommended, class_="grid"),
    )


def _card(run: ListeningRun, shown: Shown, place: int | None = None) -> Html:
    badge = tag("span", "played in the test", class_="badge right") if shown.hit else None
    title = shown.title if place is None else f"{place}. {shown.title}"
    reasons = "; ".join(f"{name} {value:+.1f}" for name, value in shown.reasons)
    piece = run.pieces.get(shown.track)
    return tag(
        "article",
        tag("h4", title),
        tag("p", badge, badge and " ", shown.words, class_="small"),
        player(piece, shown.title) if piece is not None else tag("p", "It has no sound.", class_="soft small"),
        tag("p", reasons, class_="soft small") if reasons else None,
        class_="card",
    )


def _newcomer(run: ListeningRun, newcomer: Newcomer) -> Html:
    rows = [
        [join(name, " ", tag("span", "played it", class_="badge right")) if played else name, about, last]
        for name, about, last, played in newcomer.listeners
    ]
    said = None
    if newcomer.rank_of_players is not None:
        said = (
            f"Those who did play it in the test stand, at the median, among the first "
            f"{newcomer.rank_of_players:.0%} of all listeners (50 % by chance)."
        )
    return join(
        tag("p", f"Nobody had played it before the test: it is known by {newcomer.known_by} alone."),
        tag("p", newcomer.chosen, class_="soft"),
        tag("div", _card(run, newcomer.shown), class_="grid"),
        table("Listeners", ["listener", "known of them", "played last"], rows),
        said and tag("p", said),
    )


def _map(run: ListeningRun) -> Html:
    assert run.vectors is not None
    places, variance = principal_plane(run.vectors)
    styles, entries = _styles(run.labels)
    titles = [f"{title}: {label}" for title, label in zip(run.titles, run.labels, strict=True)]
    words = (
        f"{len(run.titles):,} tracks as the model sees them, coloured by {run.label_name}, along the two directions in "
        f"which they vary most ({variance[0]:.0%} of the variance across, {variance[1]:.0%} up). The pointer on a "
        "point tells which track it is."
    )
    picture = cloud(places, styles, titles, {}, f"Map of {len(run.titles):,} tracks by {run.label_name}")
    return join(tag("p", words), marker_legend(entries), picture)


def _styles(labels: Sequence[str]) -> tuple[list[int], list[tuple[str, int]]]:
    """(style of each point, legend), most frequent first; those that cannot be told apart any more are 'others'."""
    counts = Counter(labels)
    order = sorted(counts, key=lambda label: (-counts[label], label))[: COLOURS * len(SHAPES)]
    style = {label: place for place, label in enumerate(order)}
    entries = [(f"{label} ({counts[label]:,})", place) for label, place in style.items()]
    if len(counts) > len(order):
        entries.append(("others", -1))
    return [style.get(label, -1) for label in labels], entries
