"""`mu compare`: two evaluations, listener by listener or clip by clip."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mu compare runs/a runs/b                          the models of two runs
  mu compare runs/a:popularity runs/a:model         a baseline and the model of one run
  mu compare runs/a runs/b --metrics=ndcg@10 --json
  mu compare runs/esc10/seed0:mfcc_linear runs/esc10/seed0   on audio, all folds
  mu compare quickstart/id quickstart/run --metrics=recall@20    on plays, section by section

A and B are folders with evaluation.json, or work folders of runs; ':NAME' picks a recommender or baseline of the
table, the model where nothing is said. Only evaluations of the same split, listeners, targets and masks are compared;
on audio, of the same clips, truth and groups; on plays, of the same plays, histories and candidates.

The difference is B less A, of each listener, then averaged. The interval is a 95 % bootstrap over listeners; p is
that of a two-sided permutation test that swaps A and B at random for each listener. On audio the difference is that of
the metrics over all clips, and the interval a bootstrap over groups of clips. On plays it is taken play by play in each
section, and listeners are drawn and swapped with all their plays. It speaks of these two trained models: how much
another seed would change them, only runs with other seeds can say.
"""


def main(argv: list[str]) -> int:
    """0 when compared, 1 when the two cannot be."""
    parser = argparse.ArgumentParser(
        prog="mu compare",
        description="Paired differences between two evaluations, with intervals and a permutation test.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("a", metavar="A", help="FOLDER or FOLDER:NAME")
    parser.add_argument("b", metavar="B", help="FOLDER or FOLDER:NAME")
    parser.add_argument(
        "--metrics",
        help="such as recall@10,ndcg@10; on plays also of one section: discovery/recall@20 (default: all in both)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        help="of bootstrap and permutations (default: 10000; on audio and on plays 1000, which take longer)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of both (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    arguments = parser.parse_args(argv)
    try:
        # Names of sections hold a comma and a space.
        metrics = re.split(r",(?! )", arguments.metrics) if arguments.metrics else None
        found = compare(arguments.a, arguments.b, metrics, arguments.samples, arguments.seed)
    except (FileNotFoundError, ValueError) as error:
        print(f"mu compare: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        from mu.files import json_text

        print(json_text(found))
    else:
        _show(found)
    return 0


def compare(
    a: str, b: str, metrics: list[str] | None = None, samples: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """The paired differences B - A.

    Args:
      a, b: 'FOLDER' or 'FOLDER:NAME'.
      metrics: names such as 'ndcg@10', on plays of all sections, or 'day 0/ndcg@20' of one; None for all that both
        evaluations hold.
      samples, seed: of the bootstrap and of the permutations; None for 10,000, on audio and on plays 1,000.

    Returns:
      {'a', 'b', 'n_users', 'split_hash', 'metrics': {name: {'a', 'b', 'difference', 'low', 'high', 'p',
      'b_better', 'a_better'}}}; the last two count listeners. On plays instead of 'split_hash' 'n_plays', 'part' and
      'task_hash', and of each metric, 'section/name', also 'n_plays'. On audio {'a', 'b', 'n_clips', 'n_groups',
      'metrics': {name: {'a', 'b', 'difference', 'low', 'high'}}}.

    Raises:
      FileNotFoundError: a folder holds no evaluation.
      ValueError: they were not measured on the same split, listeners, targets and masks, the same clips, truth and
        groups, or the same plays, histories and candidates; names what differs.
    """
    kinds = {kind for place in (a, b) if (kind := _kind(_place(place)[0])) is not None}
    if len(kinds) == 2:
        one, other = sorted(kinds)
        raise ValueError(f"of {a} and {b} one was measured on {one} and the other on {other}: there are no pairs")
    if "clips" in kinds:
        return _compare_clips(a, b, metrics, 1000 if samples is None else samples, seed)
    if "plays" in kinds:
        return _compare_plays(a, b, metrics, 1000 if samples is None else samples, seed)
    return _compare_listeners(a, b, metrics, 10_000 if samples is None else samples, seed)


def _compare_clips(a: str, b: str, metrics: list[str] | None, samples: int, seed: int) -> dict[str, Any]:
    from mu.evals.clip_pairs import differences
    from mu.evals.clip_scores import load

    found, names = [], []
    for place in (a, b):
        folder, name = _place(place)
        results, _ = load(folder)
        name = _chosen(name, list(results), folder)
        found.append(results[name])
        names.append(f"{folder}:{name}")
    try:
        measured = differences(found[0], found[1], metrics, samples, seed)
    except ValueError as error:
        raise ValueError(f"{a} and {b} cannot be compared: {error}") from error
    return {
        "a": names[0],
        "b": names[1],
        "n_clips": len(found[0].clips),
        "n_groups": len(set(found[0].groups)),
        "metrics": measured,
    }


def _compare_plays(a: str, b: str, metrics: list[str] | None, samples: int, seed: int) -> dict[str, Any]:
    from mu.evals.plays import differences, load

    evaluations = [load(_place(place)[0]) for place in (a, b)]
    names = [
        _chosen(_place(place)[1], list(found.results), _place(place)[0])
        for place, found in zip((a, b), evaluations, strict=True)
    ]
    parts = [found.about["part"] for found in evaluations]
    if parts[0] != parts[1]:
        raise ValueError(f"{a} was measured on {parts[0]} and {b} on {parts[1]}: there are no pairs")
    first, second = (found.results[name] for found, name in zip(evaluations, names, strict=True))
    hashes = [found.about["task_hash"] for found in evaluations]
    _refuse(a, b, "plays, histories or candidates (another log or split?)", *hashes)
    shared = {
        section: [metric for metric in first[section].values if metric in second[section].values] for section in first
    }
    known = [*dict.fromkeys(metric for section in shared.values() for metric in section)]
    known += [f"{section}/{metric}" for section, held in shared.items() for metric in held]
    if not known:
        raise ValueError(f"{a} and {b} have no metric in common")
    for name in metrics or ():
        if name not in known:
            raise ValueError(f"metric {name!r} is not in both evaluations; they share {', '.join(known)}")
    users = evaluations[0].plays.users
    measured = {}
    for section, held in shared.items():
        wanted = [name for name in held if metrics is None or name in metrics or f"{section}/{name}" in metrics]
        if not wanted:
            continue
        found = differences(users, second[section], first[section], wanted, samples, seed)
        for name, row in found.items():
            measured[f"{section}/{name}"] = {
                "a": float(first[section].values[name].mean()),
                "b": float(second[section].values[name].mean()),
                **{key: row[key] for key in ("difference", "low", "high", "p")},
                "b_better": row["ours_better"],
                "a_better": row["theirs_better"],
                "n_plays": len(first[section].plays),
            }
    return {
        "a": f"{evaluations[0].folder}:{names[0]}",
        "b": f"{evaluations[1].folder}:{names[1]}",
        "n_users": len(set(users.tolist())),
        "n_plays": len(users),
        "part": parts[0],
        "task_hash": hashes[0],
        "metrics": measured,
    }


def _compare_listeners(a: str, b: str, metrics: list[str] | None, samples: int, seed: int) -> dict[str, Any]:
    import numpy as np

    from mu.evals.intervals import bootstrap, sign_flip_test

    evaluation_a, name_a = _open(a)
    evaluation_b, name_b = _open(b)
    first, second = evaluation_a.results[name_a], evaluation_b.results[name_b]
    _refuse(a, b, "splits", evaluation_a.split_hash, evaluation_b.split_hash)
    if not np.array_equal(first.users, second.users):
        only_a, only_b = (
            len(np.setdiff1d(*pair)) for pair in ((first.users, second.users), (second.users, first.users))
        )
        raise ValueError(
            f"{a} and {b} were measured on different listeners: {only_a} only in A, {only_b} only in B, "
            f"{len(np.intersect1d(first.users, second.users))} in both"
        )
    _refuse(a, b, "targets or masks (test or validation? validation masked?)", first.task_hash, second.task_hash)
    shared = [name for name in first.values if name in second.values]
    for name in metrics or ():
        if name not in shared:
            raise ValueError(f"metric {name!r} is not in both evaluations; they share {', '.join(shared) or 'none'}")
    names = metrics or shared
    if not names:
        raise ValueError(f"{a} has {', '.join(first.values)} and {b} {', '.join(second.values)}: no metric in common")
    differences = np.stack([second.values[name] - first.values[name] for name in names], axis=1)
    low, high = bootstrap(differences, samples, seed)
    p = sign_flip_test(differences, samples, seed)
    return {
        "a": f"{evaluation_a.folder}:{name_a}",
        "b": f"{evaluation_b.folder}:{name_b}",
        "n_users": len(first.users),
        "split_hash": evaluation_a.split_hash,
        "metrics": {
            name: {
                "a": float(first.values[name].mean()),
                "b": float(second.values[name].mean()),
                "difference": float(differences[:, at].mean()),
                "low": float(low[at]),
                "high": float(high[at]),
                "p": float(p[at]),
                "b_better": int((differences[:, at] > 0).sum()),
                "a_better": int((differences[:, at] < 0).sum()),
            }
            for at, name in enumerate(names)
        },
    }


def _place(place: str) -> tuple[str, str]:
    """FOLDER or FOLDER:NAME as (folder, name or '')."""
    if not Path(place).exists() and ":" in place:
        folder, name = place.rsplit(":", 1)
        return folder, name
    return place, ""


def _kind(folder: str) -> str | None:
    """'clips', 'plays' or 'listeners'; None where there is no evaluation."""
    for place in (Path(folder), Path(folder) / "evaluation"):
        if (place / "evaluation.json").is_file():
            return json.loads((place / "evaluation.json").read_text()).get("kind", "listeners")
    return None


def _open(place: str) -> tuple[Any, str]:
    """The evaluation and the recommender that FOLDER or FOLDER:NAME means."""
    from mu.evals.saving import load_evaluation

    folder, name = _place(place)
    evaluation = load_evaluation(folder)
    return evaluation, _chosen(name, list(evaluation.results), folder)


def _chosen(name: str, rows: list[str], folder: str) -> str:
    if not name:
        name = rows[0] if len(rows) == 1 else "model"
    if name not in rows:
        raise ValueError(f"{folder} holds no recommender {name!r}; say {folder}:NAME, NAME one of {', '.join(rows)}")
    return name


def _refuse(a: str, b: str, what: str, hash_a: str, hash_b: str) -> None:
    if hash_a != hash_b:
        raise ValueError(
            f"{a} and {b} were measured on different {what}, their numbers cannot be paired:\n"
            f"  A {hash_a}\n  B {hash_b}"
        )


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from mu.evals.table import align

    header = ["metric", "A", "B", "B - A", "95 % interval"]
    rows = [
        [
            name,
            f"{row['a']:.4f}",
            f"{row['b']:.4f}",
            f"{row['difference']:+.4f}",
            f"[{row['low']:+.4f}, {row['high']:+.4f}]",
        ]
        for name, row in found["metrics"].items()
    ]
    if "n_users" in found:
        plays = f"{found['n_plays']:,} plays of " if "n_plays" in found else ""
        over = f"{plays}{found['n_users']:,} listeners"
        header += ["p", "B better", "A better"]
        for cells, row in zip(rows, found["metrics"].values(), strict=True):
            cells += [f"{row['p']:.4f}", f"{row['b_better']:,}", f"{row['a_better']:,}"]
    else:
        over = f"{found['n_clips']:,} clips in {found['n_groups']:,} groups"
    print(f"A {found['a']}\nB {found['b']}\n{over}, the same in both", flush=True)
    if not sys.stdout.isatty():
        print(align([header, *rows]))
        return
    table = Table()
    for at, title in enumerate(header):
        table.add_column(title, justify="right" if at else "left")
    for cells, row in zip(rows, found["metrics"].values(), strict=True):
        clear = row["low"] > 0 or row["high"] < 0
        table.add_row(*map(escape, cells), style="bold" if clear else None)
    Console().print(table)
