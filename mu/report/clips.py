"""What the page of a run on audio holds, in its order."""

from collections.abc import Mapping, Sequence

from mu.evals.clip_scores import Said
from mu.report import space
from mu.report.answers import by_error, told_places, verdict
from mu.report.heard import Heard
from mu.report.markup import Html, join, number, tag
from mu.report.page import document, facts, notice, table
from mu.report.results import confusion, metrics_table, per_class, scatters
from mu.report.run import AudioRun
from mu.report.training import training

HARDEST, HARDEST_IN_ALL = 8, 24
LOST_LISTED = 20
KINDS = {"class": "one of {} classes", "tags": "any of {} tags", "numbers": "{} predicted"}


def page(run: AudioRun) -> str:
    """The whole page, a function of the run alone.

    `run.sounds.lost` names afterwards the clips that should be heard on it and cannot be read.
    """
    model = run.results["model"]
    a_head = min(HARDEST, HARDEST_IN_ALL // len(model.said))
    hardest = {head: by_error(said, model.clips)[:a_head] for head, said in model.said.items()}
    groups = space.neighbourhoods(run.embedded, model) if run.embedded else []
    shown = [row for chosen in hardest.values() for row in chosen]
    rows = shown + [row for query, others in groups for row in (query, *(other for other, _ in others))]
    heard = Heard(run, rows)
    anchors = {row: f"clip-{place}" for place, row in enumerate(dict.fromkeys(shown))}

    sections = [("Result", _result(run)), ("Training", training(run.curves, run.chosen, run.step))]
    told: set[int] = set()
    for head, said in model.said.items():
        title = f"{head}: {KINDS[said.kind].format(len(said.names))}"
        sections.append(
            (title, _head(run, head, said, hardest[head], heard, {r: a for r, a in anchors.items() if r not in told}))
        )
        told.update(hardest[head])
    if run.embedded:
        if groups:
            sections.append(("Nearest neighbours", space.neighbours(run.embedded, model, groups, heard)))
        sections.append(("Map of the test clips", space.map_of_clips(run.embedded, model, anchors)))
    config = tag("details", tag("summary", "All keys of the config"), tag("pre", run.config, tabindex="0"))
    sections.append(("Config", config))
    return document(run.title, _top(run), sections)


def _top(run: AudioRun) -> Html:
    lost = run.sounds.lost
    names = [f"{clip}: {reason}" for clip, reason in lost.items()][:LOST_LISTED]
    if len(lost) > LOST_LISTED:
        names.append(f"and {len(lost) - LOST_LISTED:,} more")
    return join(
        facts(run.facts),
        *(notice(problem) for problem in run.problems),
        notice(f"{len(lost):,} clips can no longer be read:", names) if lost else None,
    )


def _result(run: AudioRun) -> Html:
    about = run.about
    over = "clips" if about["n_groups"] == about["n_clips"] else f"{about['n_groups']:,} groups of clips"
    words = (
        f"{about['n_clips']:,} test clips. Brackets and bars: 95 % bootstrap interval over {over}. Larger is "
        "better; bars go from 0 to 1, of correlation and R² from -1 to 1."
    )
    if about["split"] == "pooled":
        words += (
            " ROC-AUC, average precision and correlation put the clips of all folds in one order, though each fold's "
            "model is calibrated on its own: they may be lower than within a fold."
        )
    return join(metrics_table(about), tag("p", words, class_="soft small"))


def _head(
    run: AudioRun, head: str, said: Said, hardest: Sequence[int], heard: Heard, anchors: Mapping[int, str]
) -> Html:
    result = run.results["model"]
    parts = []
    if said.kind == "class":
        parts.append(join(tag("h3", "Confusions"), confusion(said, head)))
    if said.kind == "numbers":
        correlations = {
            row["name"]: f"r = {row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            for row in run.about["per_class"]
            if row["head"] == head and row["metric"] == "pearson"
        }
        parts.append(join(tag("h3", "Predicted and true"), scatters(said, correlations)))
    word = {"class": "Each class", "tags": "Each tag", "numbers": "Each number"}[said.kind]
    parts.append(join(tag("h3", word), per_class(result, head, run.about["interval"])))
    order = {
        "class": "Those most confidently wrong come first.",
        "tags": "Those with the largest cross-entropy come first.",
        "numbers": "Those with the largest error come first, each number counted in standard deviations of the truth.",
    }[said.kind]
    cards = [_card(run, head, row, heard, anchors.get(row)) for row in hardest]
    if run.sounds:
        order += " What is heard and seen is what the model was given; frequency is on the mel scale."
    parts.append(join(tag("h3", "Hardest clips"), tag("p", order, class_="soft"), tag("div", *cards, class_="grid")))
    return join(*parts)


def _card(run: AudioRun, head: str, row: int, heard: Heard, name: str | None) -> Html:
    model = run.results["model"]
    said = model.said[head]
    right, words = verdict(said, row)
    badge = None
    if right is not None:
        badge = tag("span", "right" if right else "wrong", class_="badge right" if right else "badge wrong")
    others = [
        f"{other}: {verdict(result.said[head], row)[1]}" for other, result in run.results.items() if other != "model"
    ]
    return tag(
        "article",
        tag("h4", model.clips[row]),
        tag("p", badge, badge and " ", words),
        heard.card(row) if run.sounds else None,
        _told(said, row),
        *(tag("p", line, class_="soft small") for line in others),
        class_="card",
        id=name,
    )


def _told(said: Said, row: int) -> Html:
    """What the model said in numbers."""
    lines = []
    for place in told_places(said, row):
        score, truth, name = float(said.scores[row, place]), said.truth[row], said.names[place]
        if said.kind == "numbers":
            lines.append([name, f"{truth[place]:.3g}", f"{score:.3g}"])
            continue
        there = place == truth if said.kind == "class" else truth[place] > 0
        bar = tag("span", tag("span", style=f"--share:{number(score)}"), class_="share", aria_hidden="true")
        lines.append([name, "yes" if there else "", bar, f"{score:.3f}"])
    header = (
        ["number", "true", "said"]
        if said.kind == "numbers"
        else ["class" if said.kind == "class" else "tag", "true", "", "said"]
    )
    return table("What the model said", header, lines)
