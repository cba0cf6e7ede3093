"""Published numbers, to the digit; `benchmarks/pins.py` prints them all."""

import pytest

from benchmarks import pins
from mu.baselines.ease import EASE


def check(found, rules):
    """Each pin is met under (at least) the rule of ties named for it."""
    for pin, rule in zip(found, rules, strict=True):
        assert rule in pin.met_by, f"{pin.data}, {pin.row}: {pin.published} published, found {pin.ours}"


def test_lastfm_2k_of_lightgcnpp(data_dir, tmp_path):
    check(pins.lastfm_2k(data_dir, tmp_path, slow=False), ["mu"])


def test_ease_on_lastfm_2k(data_dir, tmp_path):
    """Published .1731/.1978, .2499/.2398, .3450/.2822, with ties broken by rounding; these are expectations."""
    evaluator, train = pins.lightgcnpp(data_dir / "lightgcnpp_lastfm", tmp_path, "txt")
    means = evaluator.run(EASE(150.0).fit(train)).values()
    found = [pins.shown(pins.at(means, k)) for k in (10, 20, 40)]
    assert found == [".1732/.1978", ".2500/.2398", ".3450/.2823"]


def test_movielens_of_lightgcnpp(data_dir, tmp_path):
    check(pins.movielens(data_dir, tmp_path), ["mu"] * 3)


def test_lastfm_of_s3rec(data_dir, tmp_path):
    check(pins.lastfm(data_dir, tmp_path), ["mu", "mu", "sha256"])


def test_gowalla_most_popular(data_dir, tmp_path):
    check(pins.gowalla(data_dir, tmp_path, slow=False), ["mu"])


@pytest.mark.slow
def test_beauty(data_dir, tmp_path):
    found = list(pins.beauty(data_dir, tmp_path))
    check(found, ["mu", "file id", "target first", "target first, DCD"])
    # With ties as expectations these numbers lie where they must: between the favourable and the unfavourable.
    assert [pin.ours["mu"] for pin in found[1:]] == [".0136/.0061", ".0649/.0399", ".0569/.0326"]


def test_counting_models(data_dir, tmp_path):
    """To six digits under the tie rule of each row; and the expectation over ties stands beside it."""
    found = list(pins.beauty_counts(data_dir, tmp_path))
    check(found, ["file id", "file id", "file id", "sha256", "sha256"])
    assert [pin.ours["mu"] for pin in found[2::2]] == [".060410", ".063371"]


def test_tagging_of_mtg_jamendo(data_dir):
    """Five metrics of published predictions, macro and micro, to six digits."""
    found = list(pins.tagging(data_dir))
    check(found, ["mu", "mu"])
    assert found[0].published == ".725821/.107734/.138216/.308650/.165694"
