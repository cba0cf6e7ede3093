"""Linear models and MLPs on feature vectors: what either can tell, and how their penalty is chosen."""

import numpy as np
import pytest

from mu.baselines.cross_validation import best_option, grouped_folds
from mu.baselines.linear import INVERSE_PENALTIES, Linear, chosen_linear
from mu.baselines.mlp import MLP, chosen_mlp
from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget


def test_a_hidden_layer_tells_what_no_line_can():
    generator = np.random.default_rng(4)
    features = generator.uniform(-1, 1, (600, 2))
    told = (features[:, 0] * features[:, 1] > 0).astype(np.int32)
    right = {}
    for name, model in {"linear": Linear(), "mlp": MLP(hidden=16)}.items():
        said = model.fit(features[:450], ClassTarget(("no", "yes"), told[:450])).predict(features[450:])
        np.testing.assert_allclose(said.sum(axis=1), 1.0, rtol=1e-5)
        right[name] = (said.argmax(axis=1) == told[450:]).mean()
    assert right["linear"] < 0.7 and right["mlp"] > 0.93


def test_the_mlp_is_a_function_of_its_seed_and_refuses_what_it_cannot_learn_from():
    generator = np.random.default_rng(0)
    features, classes = generator.standard_normal((120, 8)), np.arange(120) % 3
    target = ClassTarget(("blue", "green", "red"), classes)
    first, again, other = (MLP(seed=seed).fit(features, target).predict(features) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3 and first.dtype == np.float32
    with pytest.raises(ValueError, match=r"all 120 clips are of one group alone: the penalty .* at least 2"):
        chosen_mlp(features, target, np.zeros(120))
    with pytest.raises(ValueError, match="all finite"):
        MLP().fit(np.full((4, 2), np.nan), target.take(np.arange(4)))


def test_the_penalty_heeds_every_number_whatever_its_unit():
    """Noise in thousands beside what can be learnt: the noise alone would choose the strongest penalty."""
    generator = np.random.default_rng(1)
    features = generator.standard_normal((120, 60))
    told = features @ generator.standard_normal((60, 1))
    noise, groups = generator.standard_normal((120, 1)), np.arange(120)

    def chosen(target):
        numbers = NumberTarget(tuple(map(str, range(target.shape[1]))), target.astype(np.float32))
        return best_option(features, numbers, grouped_folds(groups), INVERSE_PENALTIES, Linear)

    alone = chosen(noise)
    both = [chosen(np.hstack([scale * noise, told])) for scale in (1.0, 1000.0)]
    assert both[0] == both[1] > alone
    one_class = ClassTarget(("no", "yes"), np.zeros(120, np.int32))
    with pytest.raises(ValueError, match=r"all 120 clips are of one group alone: the penalty .* takes at least 2"):
        chosen_linear(features, one_class, np.zeros(120))
    with pytest.raises(ValueError, match="no clips to learn from: the target is known of none"):
        chosen_linear(features[:0], one_class.take(groups[:0]), groups[:0])


@pytest.mark.parametrize("model", [Linear(), MLP(hidden=8)], ids=["linear", "mlp"])
def test_one_tag_is_learnt_as_it_is_among_several(model):
    """scikit-learn has a form of its own for a single tag, and for a tag that no example or every one has."""
    features = np.random.default_rng(2).standard_normal((90, 3))
    tags = np.stack([features[:, 0] > 0, features[:, 1] > 0], axis=1).astype(np.float32)
    for width in (1, 2):
        target = TagTarget(("loud", "fast")[:width], tags[:, :width])
        scores = model.fit(features, target).predict(features)
        assert scores.shape == (90, width) and scores.dtype == np.float32
        assert ((scores > 0.5) == (tags[:, :width] > 0)).mean() > 0.9
    never = model.fit(features, TagTarget(("loud",), np.zeros((90, 1), np.float32))).predict(features)
    np.testing.assert_array_equal(never, np.zeros((90, 1)))
