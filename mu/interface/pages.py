"""The page of a run: its writer, and the access to data and model that pages ask for."""

import os
from collections.abc import Sequence
from pathlib import Path

from mu.data.clips.clips import Clips
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.inference.time_aware import TimeAwareRecommender
from mu.interface.parts import score_parts
from mu.locks import rewriting_file
from mu.protocols import Predictor
from mu.report.compared_runs import ComparedRun, read_runs
from mu.report.comparison_page import compared_runs, comparison_page
from mu.report.pages import RunAccess, page_of
from mu.report.split_log import LogModels, SplitLog
from mu.report.table_files import table_format
from mu.run.restore import open_run
from mu.run.workdir import open_data, run_config


def write_page(run: Path, output: str | os.PathLike[str], evaluation: str | None) -> list[str]:
    """See `mu.api.write_report`."""
    _refuse_folder(output, "report.html")
    access = RunAccess(run_config, _log_models, _clips, _test_predictor)
    content, problems = page_of(run, access, evaluation)
    _write(output, content)
    return problems


def write_comparison(
    runs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    evaluation: str | None,
    table: str | os.PathLike[str] | None,
) -> None:
    """See `mu.api.write_comparison`."""
    _refuse_folder(output, "comparison.html")
    read = read_runs(runs, evaluation)
    if table is not None:
        _write_table(read, table)
    _write(output, comparison_page(read))


def write_table(runs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], evaluation: str | None) -> None:
    """See `mu.api.write_table`."""
    _write_table(read_runs(runs, evaluation), output)


def _write_table(runs: Sequence[ComparedRun], output: str | os.PathLike[str]) -> None:
    _refuse_folder(output, "table.csv")
    _write(output, table_format(output)(compared_runs(runs)))


def _refuse_folder(output: str | os.PathLike[str], name: str) -> None:
    """Raises IsADirectoryError where a file is to be written at the place of a folder."""
    if Path(output).is_dir():
        raise IsADirectoryError(f"{output} is a folder: give a file, such as {Path(output) / name}")


def _write(output: str | os.PathLike[str], text: str) -> None:
    with rewriting_file(output) as file:
        file.write_bytes(text.encode())


def _log_models(folder: Path) -> LogModels:
    """The log of a run and its recommenders."""
    run = open_run(folder).up_to_date()
    recommender, (data, split) = run.recommender(), run.open_split()
    trained_on, histories, test = run.training_data(split), split.train.merged(split.valid), split.test
    assert isinstance(data, Interactions) and isinstance(trained_on, Interactions)
    assert isinstance(histories, Interactions) and isinstance(test, Interactions)
    parts = {}
    if isinstance(recommender, TimeAwareRecommender) and isinstance(data, Listening):
        parts = score_parts(recommender, data)
    return LogModels(
        log=SplitLog(data, histories, test, int(trained_on.times.max())),
        model=recommender,
        parts=parts,
        baselines=run.fitted_baselines(("item_knn", "popularity", "biases"), trained_on),
    )


def _clips(folder: Path) -> Clips:
    """The clips of a run."""
    data = open_data(run_config(folder), folder)
    assert isinstance(data, Clips)
    return data


def _test_predictor(folder: Path) -> tuple[Clips, Predictor[Clips]]:
    """The test clips of a run, and its best weights."""
    run = open_run(folder)
    test = run.open_split()[1].test
    assert isinstance(test, Clips)
    return test, run.predictor()
