"""The Python interface: functions of whole runs. Their imports are lazy, so that `import mu.api` costs nothing."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mu.data.clips.clips import Clips
    from mu.protocols import Predictor
    from mu.report.split_log import LogModels


def write_report(
    run: str | os.PathLike[str], output: str | os.PathLike[str], evaluation: str | None = None
) -> list[str]:
    """Writes the page of a run, one HTML file, and returns what is missing from it and why.

    Args:
      run: a run of `mu train`, or a seed's folder of `mu crossvalidate`.
      output: the file; its folder is made if need be.
      evaluation: the name of the evaluation that the page shows; None where the run has one.

    Raises:
      FileNotFoundError: there is no such run, or it has no evaluation.
      Locked: another process writes the page.
      ValueError: there is no page of such a run, it has several evaluations and no name chooses, or this version of mu
        cannot run its config.
    """
    from mu.locks import rewriting_file
    from mu.report.pages import RunAccess, page_of
    from mu.run.workdir import run_config

    access = RunAccess(run_config, _log_models, _clips, _test_predictor)
    content, problems = page_of(Path(run), access, evaluation)
    with rewriting_file(output) as page:
        page.write_bytes(content.encode())
    return problems


def write_comparison(
    runs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], evaluation: str | None = None
) -> None:
    """Writes the page of several runs beside each other, one HTML file.

    Args:
      runs: two or more runs of `mu train`, or seeds' folders of `mu crossvalidate`.
      output: the file; its folder is made if need be.
      evaluation: the name of the evaluation that is compared; None where the runs share one.

    Raises:
      FileNotFoundError: a folder holds no run, or no evaluation.
      Locked: another process writes the page.
      ValueError: the runs were not measured on the same units, task, truth and clusters, which names what differs, or
        they share several evaluations or none.
    """
    from mu.locks import rewriting_file
    from mu.report.compared_runs import read_runs
    from mu.report.comparison_page import comparison_page

    content = comparison_page(read_runs(runs, evaluation))
    with rewriting_file(output) as page:
        page.write_bytes(content.encode())


def write_table(
    runs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], evaluation: str | None = None
) -> None:
    """Writes the results of a run, or of several beside each other, as a table with intervals.

    Args:
      runs: one or more, see `write_comparison`.
      output: the file: '.csv' has every metric, a line each; '.tex' the table of the page.
      evaluation: see `write_comparison`.

    Raises:
      FileNotFoundError: a folder holds no run, or no evaluation.
      Locked: another process writes the file.
      ValueError: see `write_comparison`; or the file ends otherwise.
    """
    from mu.locks import rewriting_file
    from mu.report.compared_runs import read_runs
    from mu.report.comparison_page import compared_runs
    from mu.report.table_files import table_format

    text = table_format(output)(compared_runs(read_runs(runs, evaluation)))
    with rewriting_file(output) as file:
        file.write_bytes(text.encode())


def _log_models(folder: Path) -> "LogModels":
    """The log of a run and its recommenders."""
    from mu.data.listening.hashed_features import hashed_features
    from mu.data.listening.listening import Listening
    from mu.data.logs.interactions import Interactions
    from mu.inference.time_aware import TimeAwareRecommender
    from mu.report.split_log import LogModels, SplitLog
    from mu.run.restore import open_run

    run = open_run(folder).up_to_date()
    recommender, (data, split) = run.recommender(), run.open_split()
    learnt, histories, test = run.learnt_from(split), split.train.merged(split.valid), split.test
    assert isinstance(data, Interactions) and isinstance(learnt, Interactions)
    assert isinstance(histories, Interactions) and isinstance(test, Interactions)
    aware, parts, user_columns = None, {}, ()
    if isinstance(recommender, TimeAwareRecommender) and isinstance(data, Listening):
        columns = {name: hashed_features(data.tracks, (name,), data.hash_size) for name in data.item_columns}
        aware, parts = recommender, recommender.score_parts(columns)
    if isinstance(data, Listening):
        user_columns = data.user_columns
    return LogModels(
        log=SplitLog(data, histories, test, int(learnt.times.max()), user_columns),
        model=recommender,
        time_aware=aware,
        parts=parts,
        baselines=run.fitted_baselines(("item_knn", "popularity"), learnt),
    )


def _clips(folder: Path) -> "Clips":
    """The clips of a run."""
    from mu.data.clips.clips import Clips
    from mu.run.workdir import open_data, run_config

    data = open_data(run_config(folder), folder)
    assert isinstance(data, Clips)
    return data


def _test_predictor(folder: Path) -> "tuple[Clips, Predictor[Clips]]":
    """The test clips of a run, and its best weights."""
    from mu.data.clips.clips import Clips
    from mu.run.restore import open_run

    run = open_run(folder)
    test = run.open_split()[1].test
    assert isinstance(test, Clips)
    return test, run.predictor()
