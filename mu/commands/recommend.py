"""`mu recommend`: a listener or a history in, titles out."""

import argparse
import difflib
import sys
from typing import Any

import numpy as np
import polars as pl

EPILOG = """\
examples:
  mu recommend runs/beauty --user=123                       a listener of the log, by the log's own id
  mu recommend runs/beauty --history="track-17,track-4"     any history, oldest first, by id or title
  mu recommend runs/beauty --user=123 --k=50 --repeats      tracks already played may come again
"""

SHOWN_HISTORY = 8


def main(argv: list[str]) -> int:
    """0 when done, 1 when the run, listener or track is not there."""
    parser = argparse.ArgumentParser(
        prog="mu recommend",
        description="Recommend tracks to a listener, or after a history, with a trained run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("workdir", help="a run of `mu train`")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="a listener's id in the log")
    who.add_argument("--history", help="track ids or titles, oldest first, separated by commas")
    parser.add_argument("--k", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--repeats", action="store_true", help="let tracks of the history come again")
    arguments = parser.parse_args(argv)
    if arguments.k < 1:
        parser.error(f"--k={arguments.k}; it must be at least 1")

    from mu.config import ConfigError
    from mu.data.interactions import Interactions
    from mu.setup import restore

    try:
        setup, state, _ = restore(arguments.workdir)
        if not isinstance(setup.data, Interactions):
            raise ValueError(f"{arguments.workdir} is a run on {type(setup.data).__name__}, not on a log of plays")
        if arguments.user is not None:
            user = listener(setup.data.users, arguments.user)
            history = setup.data.row(user)
        else:
            if "users" in setup.model_tables:
                raise ValueError(f"{setup.config.model.name} knows listeners by name, not by history; give --user")
            user, history = 0, tracks(setup.data.tracks, arguments.history)
    except (ConfigError, FileNotFoundError, ValueError) as error:
        print(f"mu recommend: {error}", file=sys.stderr)
        return 1
    show(setup, state, user, history, arguments.k, arguments.repeats)
    return 0


def show(setup: Any, state: Any, user: int, history: np.ndarray, k: int, repeats: bool = False) -> None:
    """Prints the end of the history and the k best tracks after it, with titles and scores."""
    hits_ids, hits_scores = recommend(setup, state, user, history, k, repeats)
    titles = track_titles(setup.data.tracks)
    print(f"After {len(history):,} plays, the last of them")
    for item in history[-SHOWN_HISTORY:]:
        print(f"          {titles[item]}")
    print("recommended")
    for item, score in zip(hits_ids, hits_scores, strict=True):
        print(f"  {score:7.2f} {titles[item]}")


def recommend(
    setup: Any, state: Any, user: int, history: np.ndarray, k: int, repeats: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(ids, scores) of the k best tracks of the whole catalogue, without those of the history unless `repeats`."""
    from mu.data.interactions import Interactions
    from mu_kernels import CSR, ItemIndex

    history = np.asarray(history, np.int32)
    rows = Interactions(
        indptr=np.array([0, len(history)], np.int64),
        items=history,
        times=np.arange(len(history), dtype=np.int64),
        weights=np.ones(len(history), np.float32),
        n_items=setup.data.n_items,
    )
    recommender = setup.evaluation.recommender(state)
    exclude = None
    if not repeats:
        exclude = CSR.from_pairs(np.zeros(len(history), np.int64), history, 1, setup.data.n_items)
    index = ItemIndex(recommender.vectors, bias=recommender.bias)
    hits = index.top_k(recommender.queries(np.array([user]), rows), k, exclude=exclude)
    count = int(hits.count[0])
    return hits.ids[0, :count], hits.scores[0, :count]


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
        close = difflib.get_close_matches(name, ids.head(100_000).to_list(), n=3, cutoff=0.0)
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
            close = difflib.get_close_matches(name, [key for key in known if key], n=3, cutoff=0.0)
            raise ValueError(f"the log has no track {name!r}; near it: {', '.join(close)}")
        found.append(known[",".join(parts[:stop]).strip()])
        parts = parts[stop:]
    return np.array(found, np.int32)
