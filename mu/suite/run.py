"""Runs a suite: imports each data set once, embeds it with the encoder, probes it, and keeps a row a metric."""

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu import __version__
from mu.data.clips import clips as clip_tables
from mu.data.clips.clips import whole_column
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.embeddings import Embeddings, load
from mu.embedding.opening import Opened
from mu.embedding.probe import ProbeReport, probe, save_report
from mu.embedding.run import embed
from mu.embedding.seen import without_seen
from mu.evals.nouns import counted, noun
from mu.files import read_json, write_json, write_whole
from mu.names import nearest
from mu.suite.retrieval import average_precisions, cosine_similarities, mean_with_interval
from mu.suite.task import AnyTask, Recordings, Retrieval, Task, missing_data

ROWS, TABLE = "rows.json", "suite.json"
Progress = Callable[[str, float, float, str], None]
"""(what is done, done, total, note)."""


@dataclasses.dataclass(frozen=True)
class SuiteOptions:
    """How the probes of a suite are trained.

    Attributes:
      head: 'linear' or 'mlp'.
      seeds: of the MLP.
      bootstrap_samples: of the intervals.
      seen: what is done about clips that the encoder has learnt from (`mu.embedding.seen`).
    """

    head: str = "linear"
    seeds: tuple[int, ...] = (0,)
    bootstrap_samples: int = 1000
    seen: str = "refuse"


def run_suite(
    opened: Opened,
    tasks: Sequence[AnyTask],
    data: Path,
    workdir: Path,
    output: Path,
    options: SuiteOptions,
    progress: Progress,
) -> list[dict[str, Any]]:
    """The rows of all tasks, in their order; written to `output/suite.json`.

    A task whose rows are there, of the same encoder, recordings and options, is not run again. Embeddings of a library
    are made once, and go on where they stopped.

    Args:
      opened: of `mu.embedding.opening.open_encoder`.
      tasks: of the suite.
      data: the folder of all data sets.
      workdir: holds the imports, which all encoders share.
      output: the encoder's embeddings and results.
      options: of the probes.
      progress: called with what is done, how much of how much, and a note.

    Raises:
      FileNotFoundError: data sets are missing; names all of them.
      ValueError: recordings cannot be embedded or probed; names the task.
    """
    if missing := missing_data(tasks, data):
        raise FileNotFoundError(f"{data} lacks data sets; it takes, each in its folder:\n{missing}")
    rows = []
    for task in tasks:
        library = imported(task.recordings, data, workdir, progress)
        folder = output / options.head / task.name
        key = _key(task, library, opened, options)
        if (folder / ROWS).is_file() and (done := read_json(folder / ROWS))["key"] == key:
            rows += done["rows"]
            continue
        try:
            how = (library, opened, output, folder, options, progress)
            of_task = _retrieve(task, *how) if isinstance(task, Retrieval) else _run(task, *how)
        except ValueError as error:
            raise ValueError(f"task {task.name}: {error}") from error
        write_json(folder / ROWS, {"key": key, "rows": of_task})
        rows += of_task
    encoder = {name: value for name, value in opened[1].items() if name != "trained_on"}
    document = {"encoder": encoder, **dataclasses.asdict(options), "mu": __version__, "rows": rows}
    write_json(output / TABLE, document)
    return rows


def slug(card: dict[str, Any]) -> str:
    """A folder's name for an encoder: the last part of its own, and the beginning of its hash."""
    name = re.sub(r"[^\w.=-]+", "_", Path(card["run"]).name) or "encoder"
    return f"{name}-{card['hash'][:8]}"


def imported(recordings: Recordings, data: Path, workdir: Path, progress: Progress) -> Path:
    """The folder of the imported recordings, made where it is missing.

    Raises:
      ValueError: it was made from another table.
    """
    output, root = workdir / "libraries" / recordings.name, data / recordings.folder
    table = root / recordings.table
    source = {"table_sha256": hashlib.sha256(table.read_bytes()).hexdigest()}
    imported_from = workdir / "tables" / f"{recordings.name}.json"
    if (output / "clips.parquet").is_file() and (output / "card.json").is_file():
        if imported_from.is_file() and read_json(imported_from) != source:
            raise ValueError(f"{output} was imported from another table than {table} is now: name another --workdir")
        return output
    if recordings.prepare is not None:
        prepared = recordings.prepare(pl.read_csv(table, infer_schema=False))
        table = imported_from.with_suffix(".csv")
        table.parent.mkdir(parents=True, exist_ok=True)
        write_whole(table, prepared.write_csv())
    import_audio(str(table), output, AudioImportOptions(root=str(root), group=recordings.group), progress=progress)
    imported_from.parent.mkdir(parents=True, exist_ok=True)
    write_json(imported_from, source)
    return output


def _run(
    task: Task, library: Path, opened: Opened, output: Path, folder: Path, options: SuiteOptions, progress: Progress
) -> list[dict[str, Any]]:
    """Embeds and probes; the rows of a task."""
    began = time.monotonic()
    embeddings = _embeddings(task, library, opened, output, progress)
    embedded_s = time.monotonic() - began
    how = {
        "head": options.head,
        "seeds": options.seeds,
        "seen": options.seen,
        "bootstrap_samples": options.bootstrap_samples,
    }
    report = probe(
        embeddings,
        library,
        dataclasses.replace(task.predicts, **how),
        lambda done, total: progress(f"{task.name}: probing", done, total, ""),
    )
    estimates = {name: (value, low, high) for name, value, low, high in report.estimates}
    if unknown := [name for name in task.metrics if name not in estimates]:
        raise ValueError(f"there is no metric {unknown[0]!r}; there is: {', '.join(estimates)}")
    card = {"encoder": opened[1]["run"], "library": str(library), "task": task.name}
    save_report(folder, report, card)
    probed_s = time.monotonic() - began - embedded_s
    result = report.results[0]
    common = {"clips": len(result), "units": result.resampled, "protocol": task.protocol, "note": report.note}
    common |= {"embedded_s": embedded_s, "probed_s": probed_s}
    return [
        {
            "task": task.name,
            "metric": name,
            **dict(zip(("value", "low", "high"), estimates[name], strict=True)),
            "folds": fold_values(report, name),
            **common,
        }
        for name in task.metrics
    ]


def _retrieve(
    task: Retrieval,
    library: Path,
    opened: Opened,
    output: Path,
    folder: Path,
    options: SuiteOptions,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Embeds, and finds the recordings of each value among all; the row of a task."""
    began = time.monotonic()
    embeddings = _embeddings(task, library, opened, output, progress)
    embedded_s = time.monotonic() - began
    clips = clip_tables.load(library, sample_rate_hz=embeddings.card["encoder"]["sample_rate_hz"], audio=False)
    if task.same not in clips.table.columns:
        raise ValueError(f"{library} has no column {task.same!r}{nearest(task.same, clips.table.columns)}")
    clips, note = without_seen(clips, embeddings.card, task.same, options.seen)
    same = np.array([str(value) for value in whole_column(clips.table, task.same)])
    vectors = embeddings.of(clips.table["content_hash"].to_list())
    values = average_precisions(cosine_similarities(vectors), same)
    if not np.isfinite(values).any():
        raise ValueError(f"no two recordings have one {task.same!r}: there is nothing to find")
    value, low, high = mean_with_interval(values, same, options.bootstrap_samples)
    units = counted(len(set(same.tolist())), noun(task.same))
    common = {"clips": len(same), "units": units, "protocol": task.protocol, "note": note, "folds": {}}
    common |= {"embedded_s": embedded_s, "probed_s": time.monotonic() - began - embedded_s}
    folder.mkdir(parents=True, exist_ok=True)
    found = {clip: float(one) for clip, one in zip(clips.table["clip"].to_list(), values, strict=True)}
    write_json(folder / "retrieval.json", {"same": task.same, "average_precision": found})
    return [{"task": task.name, "metric": "mAP", "value": value, "low": low, "high": high, **common}]


def _embeddings(task: AnyTask, library: Path, opened: Opened, output: Path, progress: Progress) -> Embeddings:
    """The vectors of the recordings of a task; an error where one has none."""
    cut = "" if task.first_s is None else f"_first_{task.first_s:g}s"
    vectors = output / "embeddings" / f"{task.recordings.name}{cut}"
    embed(
        opened,
        library,
        vectors,
        first_s=task.first_s,
        progress=lambda done, total, note: progress(f"{task.name}: embedding", done, total, note),
    )
    embeddings = load(vectors)
    if embeddings.faults:
        first = embeddings.faults[0]
        raise ValueError(
            f"{len(embeddings.faults):,} recordings have no embedding, the first is {first['file']}: {first['fault']} "
            f"({first['reason']}). Encoders are compared on the same recordings, so none may be left out: see "
            f"{vectors / 'faults.jsonl'}"
        )
    return embeddings


def fold_values(report: ProbeReport, metric: str) -> dict[str, float]:
    """Fold -> the metric of its clips alone, the mean over seeds."""
    folds: dict[str, list[int]] = {}
    for row, clip in enumerate(report.results[0].units.tolist()):
        folds.setdefault(report.fold_of[clip], []).append(row)
    values = {}
    for fold, rows in sorted(folds.items()):
        of_seeds = [result.take(np.array(rows)).values()[metric] for result in report.results]
        values[fold] = float(np.mean(of_seeds))
    return values


def _key(task: AnyTask, library: Path, opened: Opened, options: SuiteOptions) -> str:
    """sha256 of all that the rows of a task depend on."""
    facts = [
        opened[1]["hash"],
        *([task.same] if isinstance(task, Retrieval) else [dataclasses.asdict(task.predicts), task.metrics]),
        task.protocol,
        task.first_s,
        dataclasses.asdict(options),
        read_json(library / "card.json").get("clips_sha256"),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
