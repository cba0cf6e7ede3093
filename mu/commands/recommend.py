"""`mu recommend`: a listener or a history in, titles out; a new recording in, listeners out."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.names import closest

EPILOG = """\
examples:
  mu recommend runs/beauty --user=123                       a listener of the log, by the log's own id
  mu recommend runs/beauty --history="track-17,track-4"     any history, oldest first, by id or title
  mu recommend runs/beauty --user=123 --k=50 --repeats      tracks already played may come again
  mu recommend quickstart/run --audio=new.wav               who would like a recording that nobody has heard
  mu recommend quickstart/run --audio=new.wav --about="artist=Nova;tags=calm|dark"    and is known so much of
  mu recommend quickstart/run --user=listener-00007 --embeddings=new     which of the recordings that
                                                            `mu embed quickstart/run LIBRARY --output=new` heard
"""

SHOWN_HISTORY = 8
NOBODY = -1


def main(argv: list[str]) -> int:
    """0 when done, 1 when the run, listener or track is not there."""
    parser = argparse.ArgumentParser(
        prog="mu recommend",
        description="Recommend tracks to a listener, or after a history, or a new recording to listeners.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("workdir", help="a run of `mu train`")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="a listener's id in the log")
    who.add_argument("--history", help="track ids or titles, oldest first, separated by commas")
    who.add_argument("--audio", metavar="FILE", help="a recording: who would like it?")
    parser.add_argument("--about", default="", help="what is known of the recording: column=word|word;column=word")
    parser.add_argument("--embeddings", metavar="DIR", help="recommend from these recordings, embedded with this run")
    parser.add_argument("--k", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--repeats", action="store_true", help="let tracks of the history come again")
    arguments = parser.parse_args(argv)
    if arguments.k < 1:
        parser.error(f"--k={arguments.k}; it must be at least 1")
    if arguments.about and arguments.audio is None:
        parser.error("--about says what is known of a recording: give --audio too")
    if arguments.embeddings and arguments.user is None:
        parser.error("--embeddings holds recordings for a listener: give --user too")

    from mu.config.base import ConfigError
    from mu.data.features import TrackHistories
    from mu.data.logs.interactions import Interactions
    from mu.run.restore import restore

    try:
        restored = restore(arguments.workdir)
        setup, state = restored.run, restored.state
        data = setup.data
        if not isinstance(data, Interactions):
            raise ValueError(f"{arguments.workdir} is a run on {type(data).__name__}, not on a log of plays")
        if arguments.audio is not None or arguments.embeddings is not None:
            show_new(arguments, setup, state)
            return 0
        if arguments.user is not None:
            user = listener(data.users, arguments.user)
            history = data.take(np.array([user]))
        else:
            if "users" in setup.tables:
                raise ValueError(f"{setup.config.model.name} knows listeners by name, not by history; give --user")
            user, history = NOBODY, TrackHistories.of(tracks(data.tracks, arguments.history))
        recommender = recommender_of(arguments.workdir, setup, state)
    except (ConfigError, OSError, ValueError) as error:
        print(f"mu recommend: {error}", file=sys.stderr)
        return 1
    show(data, recommender, user, history, arguments.k, arguments.repeats)
    return 0


def recommender_of(workdir: str | os.PathLike[str], setup: Any, state: Any) -> Any:
    """A run's model as it was measured, where its evaluation says how: with the boost of new tracks, and what it heard.

    Args:
      workdir: of the run.
      setup, state: of `mu.run.restore.restore`.
    """
    from mu.inference.track_content import TimedScores

    evaluation = setup.evaluation
    if not hasattr(evaluation, "measured"):
        return evaluation.recommender(state)
    found = evaluation.measured(state, Path(workdir) / "evaluation")
    if found is not None:
        return found
    found = evaluation.recommender(state)
    # Other models are the same whether they were measured or not.
    if isinstance(found, TimedScores):
        anew = ", and all tracks were heard anew" if "content" in setup.tables else ""
        print(
            f"{workdir}/evaluation is missing or of other weights: new tracks get no boost{anew} "
            f"(`mu evaluate {workdir}` remembers)",
            file=sys.stderr,
        )
    return found


def show_new(arguments: argparse.Namespace, setup: Any, state: Any) -> None:
    """Prints who would like a recording, or which of many suit a listener."""
    from mu.commands.recommend_new import described, library, listeners_of, recordings_for, vector_of_file
    from mu.embedding.encoder import hash_of, of_setup

    run, k = arguments.workdir, arguments.k
    if "content" not in setup.tables or not hasattr(setup.evaluation, "measured"):
        raise ValueError(f"{run} is no run on plays and audio: it cannot hear new recordings")
    if arguments.audio is not None:
        new = described(setup, arguments.about)
        content = vector_of_file(of_setup(setup, state), arguments.audio)
        listeners = listeners_of(setup.data, recommender_of(run, setup, state), content, new, k)
        print(f"{arguments.audio} would be played most by (x the mean listener)")
        for user, share in listeners:
            print(f"  {share:7.2f} {setup.data.users['user'][user]}")
        return
    user = listener(setup.data.users, arguments.user)
    held = library(arguments.embeddings, hash_of(setup, state), run)
    clips = recordings_for(setup.data, recommender_of(run, setup, state), user, held, k)
    print(f"of {arguments.embeddings}, {arguments.user} would like")
    for clip, score in clips:
        print(f"  {score:7.2f} {clip}")


def show(data: Any, recommender: Any, user: int, history: Any, k: int, repeats: bool = False) -> None:
    """Prints the end of the history and the k best tracks after it, with titles and scores."""
    hits_ids, hits_scores = recommend(data, recommender, user, history, k, repeats)
    titles = track_titles(data.tracks)
    print(f"After {len(history):,} plays, the last of them")
    for item in history.items[-SHOWN_HISTORY:]:
        print(f"          {titles[item]}")
    print("recommended")
    for item, score in zip(hits_ids, hits_scores, strict=True):
        print(f"  {score:7.2f} {titles[item]}")


def recommend(
    data: Any, recommender: Any, user: int, history: Any, k: int, repeats: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(ids, scores) of the k best tracks at the time of the log's last play, among those that are out then.

    Args:
      data: the log.
      recommender: of `recommender_of`.
      user: whose history it is, -1 for nobody of the log.
      history: a log of one row.
      k: how many, at most.
      repeats: whether tracks of the history may come again.
    """
    from mu_kernels import CSR, ItemIndex

    now_ms = int(data.times.max())
    bias = recommender.bias
    if hasattr(recommender, "bias_at"):
        bias = recommender.bias_at(np.array([now_ms]))[0]
    exclude = None
    if not repeats:
        exclude = CSR.from_pairs(np.zeros(len(history), np.int64), history.items, 1, data.n_items)
    queries = recommender.queries(np.array([user]), history)
    hits = ItemIndex(recommender.vectors, bias=bias).top_k(queries, k, exclude=exclude, allow=out_at(data, now_ms))
    count = int(hits.count[0])
    return hits.ids[0, :count], hits.scores[0, :count]


def out_at(data: Any, time_ms: int) -> np.ndarray:
    """bool [V]: the tracks that are out at a time; all of them where the data tell nothing of it."""
    released_ms = getattr(data, "released_ms", None)
    return np.ones(data.n_items, bool) if released_ms is None else released_ms <= time_ms


def track_titles(table: pl.DataFrame) -> list[str]:
    """'title (artist)' where the log knows them, else the track's id."""
    ids = table["track"].cast(pl.String)
    titles = table["title"].fill_null(ids) if "title" in table.columns else ids
    if "artist" not in table.columns:
        return titles.to_list()
    artists = table["artist"].fill_null("unknown artist").cast(pl.String)
    return [f"{title}, {artist}" for title, artist in zip(titles, artists, strict=True)]


def listener(users: pl.DataFrame, name: str) -> int:
    """The dense id of a listener of the log.

    Raises:
      ValueError: the log has no such listener; names some near ones.
    """
    ids = users["user"].cast(pl.String)
    found = (ids == name).arg_true()
    if len(found) == 0:
        close = closest(name, ids.head(100_000).to_list(), 3)
        raise ValueError(f"the log has no listener {name!r}; near it: {', '.join(close)}")
    return int(found[0])


def tracks(table: pl.DataFrame, names: str) -> np.ndarray:
    """int32: the dense ids of comma-separated track ids or titles.

    Raises:
      ValueError: the log has no such track; names some near ones.
    """
    ids = table["track"].cast(pl.String).to_list()
    known = {title: number for number, title in enumerate(table["title"])} if "title" in table.columns else {}
    known |= {name: number for number, name in enumerate(ids)}
    parts, found = names.split(","), []
    while parts:
        # Titles may hold commas themselves: the longest name that is known.
        stops = range(len(parts), 0, -1)
        stop = next((stop for stop in stops if ",".join(parts[:stop]).strip() in known), 0)
        if not stop:
            name = parts[0].strip()
            close = closest(name, filter(None, known), 3)
            raise ValueError(f"the log has no track {name!r}; near it: {', '.join(close)}")
        found.append(known[",".join(parts[:stop]).strip()])
        parts = parts[stop:]
    return np.array(found, np.int32)
