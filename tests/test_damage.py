"""Every file that mu writes and later trusts, damaged in every way: refused by name, never other numbers in silence."""

import numpy as np
import polars as pl
import pytest

from mu.checksums import Damaged, check_hashes, write_hashes
from mu.data.embeddings import load as load_embeddings
from mu.data.embeddings import write as write_embeddings
from mu.data.logs.interactions import load as load_log
from mu.evals.result import Result
from mu.evals.results import load as load_evaluation
from mu.evals.results import save as save_evaluation
from mu.run.restore import open_run
from tests.helpers.damage import check_all, damaged
from tests.helpers.tiny_runs import tiny_config, train, write_log


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(log, run) of a tiny SASRec."""
    folder = tmp_path_factory.mktemp("damage")
    log = write_log(folder)
    train(tiny_config(log, total_steps=6), folder / "run")
    return log, folder / "run"


def use_log(folder):
    log = load_log(folder)
    return log.hash(), len(log.users), log.tracks["title"].to_list()


def use_run(folder):
    run = open_run(folder)
    rows = {name: float(np.abs(np.asarray(array)).sum()) for name, array in run.rows.items()}
    recommender = run.recommender()
    queries = recommender.queries(np.array([-1]), run.open_log().take(np.array([0])))
    return rows, np.asarray(queries).tolist(), run.log.titles(), run.provenance["split"], run.policy.new_release_boost


def test_a_log(run):
    assert check_all(run[0], use_log) > 30


def test_a_run(run):
    unread = ("metrics.jsonl", "table.txt", "evaluation.json", "units.npz", "commit_success.txt")
    assert check_all(run[1], use_run, unread, may_be_gone=("policy.json",)) > 60


def use_evaluation(folder):
    return str(load_evaluation(folder).rows)


def test_an_evaluation(tmp_path):
    result = Result(unit="user", units=np.arange(5), columns={"recall@10": np.arange(5) / 5})
    save_evaluation(tmp_path, {"model": result}, {"seed": 0}, samples=5)
    assert check_all(tmp_path, use_evaluation) == 10


def use_embeddings(folder):
    found = load_embeddings(folder)
    return found.vectors.tobytes(), found.table.rows(), found.faults, found.card


def test_embeddings(tmp_path):
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)
    table = pl.DataFrame({"row": [0, 1, 2], "content_hash": ["a", "b", "c"], "clip": ["x", "y", "z"]})
    fault = {"file": "w", "fault": "missing", "reason": "gone", "done": "left out", "content_hash": "d"}
    card = {"encoder": {"hash": "e"}, "dim": 4, "embeddings": 3, "clips": 3}
    write_embeddings(tmp_path, [vectors], (3, 4), table, [fault], card)
    assert check_all(tmp_path, use_embeddings) > 18


def test_a_large_file_is_checked_at_its_ends_at_once_and_whole_by_who_reads_it_whole(tmp_path):
    content = np.zeros(3 << 20, np.uint8)
    content.tofile(tmp_path / "large.npy")
    write_hashes(tmp_path)
    for place, at_once in ((0, True), (1 << 16, False), (3 << 19, False), ((3 << 20) - 1, True)):
        content[place] = 1
        content.tofile(tmp_path / "large.npy")
        for whole in (True, False):
            if at_once or whole:
                with pytest.raises(Damaged, match=r"large.npy is not what was written .*; import again"):
                    check_hashes(tmp_path, "import again", whole=whole)
            else:
                assert check_hashes(tmp_path, "import again", whole=False)
        content[place] = 0


def test_what_is_for_people_may_be_taken_away_and_older_folders_have_no_list(tmp_path):
    (tmp_path / "rejected.csv").write_text("file,line\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.npy").write_bytes(b"x")
    assert not check_hashes(tmp_path, "")
    write_hashes(tmp_path)
    (tmp_path / "rejected.csv").unlink()
    (tmp_path / "new.txt").write_text("a note of mine")
    assert check_hashes(tmp_path, "")
    with damaged(tmp_path / "deep" / "a.npy", "delete", []):
        with pytest.raises(Damaged, match=r"deep.a.npy is missing"):
            check_hashes(tmp_path, "")
        assert check_hashes(tmp_path, "", missing_too=False)
