"""The Python interface: functions of whole runs. Their imports are lazy, so that `import mu.api` costs nothing."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mu.data.clips.clips import Clips
    from mu.protocols import Predictor
    from mu.report.listening_run import Sections


def write_report(
    run: str | os.PathLike[str], output: str | os.PathLike[str], evaluation: str | None = None
) -> list[str]:
    """Writes the page of a run, one HTML file, and returns what is missing from it and why.

    Args:
      run: a run of `mu train` on audio, or on plays and audio; or a seed's folder of `mu crossvalidate`.
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

    access = RunAccess(run_config, _listening_sections, _clips, _test_predictor)
    content, problems = page_of(Path(run), access, evaluation)
    with rewriting_file(output) as page:
        page.write_bytes(content.encode())
    return problems


def _listening_sections(folder: Path) -> "Sections":
    """The sections that are computed from the model of a run."""
    from mu.data.listening.hashed_features import hashed_features
    from mu.data.listening.listening import Listening
    from mu.data.track_names import track_titles
    from mu.files import read_json
    from mu.inference.time_aware import TimeAwareRecommender
    from mu.report.listening_sections import listening_sections
    from mu.report.split_log import SplitLog
    from mu.run.restore import open_run

    run = open_run(folder).up_to_date()
    recommender, (data, split) = run.recommender(), run.open_split()
    learnt, histories = run.learnt_from(split), split.train.merged(split.valid)
    test = split.test
    if not (
        isinstance(data, Listening)
        and isinstance(learnt, Listening)
        and isinstance(histories, Listening)
        and isinstance(test, Listening)
    ):
        raise ValueError(f"{folder} is a run on a log without dates of release")
    options = read_json(folder / "config.json")["data"]
    columns = {name: hashed_features(data.tracks, (name,), data.hash_size) for name in options.get("item_columns", ())}
    log = SplitLog(
        data=data,
        histories=histories,
        test=test,
        trained_until_ms=learnt.end_ms,
        titles=track_titles(data.tracks),
        user_columns=options.get("user_columns", ()),
    )
    aware = recommender if isinstance(recommender, TimeAwareRecommender) else None
    return listening_sections(log, recommender, aware, aware.score_parts(columns) if aware else {})


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
