"""Heads of targets: every kind of target has one, with a known loss and known predictions."""

import jax.numpy as jnp
import numpy as np
import pytest

from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget, Target
from mu.tasks.clip_heads import HEADS, heads_of

NAN = float("nan")


def test_every_kind_of_target_has_a_head():
    assert set(HEADS) == {kind.kind for kind in Target.__subclasses__()}


@pytest.mark.parametrize(
    ("target", "outputs", "predicted", "loss"),
    [
        (
            ClassTarget(("a", "b"), np.array([1, -1], np.int32)),
            [[0, 0], [2, 3]],
            [[0.5, 0.5], [0.2689, 0.7311]],
            0.6931,
        ),
        (TagTarget(("t",), np.array([[1.0], [NAN]], np.float32)), [[0], [2]], [[0.5], [0.8808]], 0.6931),
        (NumberTarget(("n",), np.array([[3.0], [NAN], [7.0]], np.float32)), [[0], [1], [2]], [[5], [7], [9]], 1.0),
    ],
    ids=["class", "tags", "numbers"],
)
def test_losses_and_predictions_of_known_outputs(target, outputs, predicted, loss):
    """Outputs 0 are even odds, or the mean of the numbers, 5, whose deviation is 2; what is not known costs nothing."""
    head, outputs = heads_of({"target": target}, label_smoothing=0.0)["target"], jnp.asarray(outputs, jnp.float32)
    np.testing.assert_allclose(head.predict(outputs), predicted, atol=1e-4)
    losses = head.loss(outputs, jnp.asarray(target.values))
    assert losses[0] == pytest.approx(loss, abs=1e-4) and losses[1] == 0


def test_numbers_that_no_training_clip_has_are_refused():
    target = NumberTarget(("n", "m"), np.array([[1.0, NAN], [NAN, 1.0]], np.float32))
    with pytest.raises(ValueError, match="no training clip has all of the numbers n, m of 'levels'"):
        heads_of({"levels": target}, label_smoothing=0.0)
