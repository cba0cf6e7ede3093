"""The page of a run on a log: listeners, a new track, the age of tracks, results, and how it was trained."""

from mu.evals.nouns import counted
from mu.report.age_chart import age_chart
from mu.report.columns import which_is_better
from mu.report.details import head_of, results, run_details
from mu.report.listening_run import ListeningRun
from mu.report.metric_tables import AllMetrics, metric_tables
from mu.report.page import Notice, Section, render
from mu.report.seeds import Seeds
from mu.report.track_map import map_of_tracks

PLAYS_NOTE = (
    "Each play of the test is ranked at the time of the play. discovery: tracks that training has seen and the "
    "listener has not played, among all tracks not played. repeat: tracks that the listener has played, among those. "
    "day 0 and so on: tracks that came out after training ended, by their age, among all tracks not played; new: the "
    "same plays, among the tracks that came out after training ended."
)


def page(run: ListeningRun, seeds: Seeds | None = None) -> str:
    """The whole page, a function of the run alone."""
    facts, computed = run.facts, run.computed
    sections = []
    if computed.listeners is not None:
        sections.append(Section("Listeners", "listeners.html", (computed.listeners, computed.pieces)))
    if computed.cold_start is not None:
        view = (computed.cold_start, computed.pieces)
        sections.append(Section("A new track and its audience", "cold_start.html", view))
    if computed.near_tracks is not None:
        sections.append(Section("Tracks near each other", "near_tracks.html", computed.near_tracks))
    by_age = age_chart(run.compared)
    if by_age is not None:
        sections.append(Section("By the age of the track", "figure.html", by_age))
    sections += results(run.compared, seeds, run.evaluation.folder.name)
    details = [Section("All metrics", "metric_tables.html", all_metrics(run))]
    if computed.groups:
        details.append(Section("Groups of listeners", "groups.html", computed.groups))
    if computed.track_map is not None:
        details.append(Section("Map of the tracks", "map.html", map_of_tracks(computed.track_map)))
    head = head_of(facts, run.compared, seeds)
    notices = [Notice(problem) for problem in facts.problems]
    return render(head, notices, sections, [*details, *run_details(facts)], sound=bool(computed.pieces))


def all_metrics(run: ListeningRun) -> AllMetrics:
    """A table of all metrics, or of sections one for each metric."""
    evaluation, model = run.evaluation, run.evaluation.results["model"]
    over = counted(model.n_clusters, "listener" if model.drawn_noun == "user" else model.drawn_noun)
    notes = [f"{which_is_better(model)} Brackets: 95 % bootstrap intervals over {over}.", *model.notes]
    if run.counts:
        notes.append(PLAYS_NOTE)
    if run.compared.boost is not None:
        notes.append(
            f"model adds a boost of {run.compared.boost:g} to tracks in their first week: the largest whose cost for "
            "known tracks on the validation part is within what the config allows. model_unboosted is without."
        )
    return AllMetrics(metric_tables(evaluation.rows, run.counts), notes)
