"""The boost of new releases: the largest that costs no more than it may."""

import pytest

from mu.inference.policy import MOST_BOOST, Policy, new_release_boost

METRIC = "plays/discovery/recall@20"


@pytest.mark.parametrize(("max_cost", "boost"), [(0.05, 1.25), (0.1, 2.5), (0.0, 0.0), (0.99, MOST_BOOST)])
def test_it_is_the_largest_that_costs_no_more(max_cost, boost):
    """A point of boost costs 4 % of the score."""
    policy = new_release_boost(lambda metric, boost: 1.0 - 0.04 * boost, metric=METRIC, max_cost=max_cost)
    assert policy == Policy(new_release_boost=boost)


def test_it_is_found_in_few_steps_by_the_metric_that_is_named():
    asked = []
    new_release_boost(lambda *one: asked.append(one) or 1.0 - 0.04 * one[1], metric=METRIC, max_cost=0.05)
    assert len(asked) <= 8 and {metric for metric, _ in asked} == {METRIC}


def test_where_no_boost_changes_anything_there_is_none():
    assert new_release_boost(lambda metric, boost: 0.3, metric=METRIC, max_cost=0.05) == Policy()


@pytest.mark.parametrize("max_cost", [-0.1, 1.0])
def test_costs_that_make_no_sense_are_refused(max_cost):
    with pytest.raises(ValueError, match="it must lie in"):
        new_release_boost(lambda metric, boost: 0.0, metric=METRIC, max_cost=max_cost)


def test_what_is_saved_is_loaded(tmp_path):
    assert Policy.load(tmp_path) == Policy()
    Policy(new_release_boost=1.25, weights_hash="abc").save(tmp_path)
    assert Policy.load(tmp_path) == Policy(new_release_boost=1.25, weights_hash="abc")


def test_offsets_are_saved_with_the_boost_and_stay_without_it(tmp_path):
    policy = Policy(new_release_boost=1.25, age_offsets=(0.5, 0.25), weights_hash="abc")
    policy.save(tmp_path)
    assert Policy.load(tmp_path) == policy
    assert policy.without_boost() == Policy(new_release_boost=0.0, age_offsets=(0.5, 0.25), weights_hash="abc")
    (tmp_path / "policy.json").write_text('{"new_release_boost": 1.0, "weights_hash": "x"}')
    assert Policy.load(tmp_path) == Policy(new_release_boost=1.0, weights_hash="x")
