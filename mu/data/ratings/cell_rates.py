"""What listeners like these said of other clips: smoothed rates in ever narrower cells, as logits to start from."""

from collections.abc import Sequence

import numpy as np

from mu.data.ratings.rated_clips import Opinions
from mu.data.ratings.ratings import Responses
from mu.data.ratings.smoothing import smoothed_rates

# In which the training's own rates are made: a response must not tell itself, nor its clip's other responses it.
FOLDS = 10


def tastes(train: Opinions, responses: Responses | None = None) -> np.ndarray:
    """Logits of the rates at which the training responses of a listener's cell said it.

    The first is over all clips, the others over those of one class of `train.taste` each, and lean on the first where
    the cell has heard few of the class.

    Args:
      train: to learn from.
      responses: to other clips; None for the training's own, each by the clips of other folds than its own.

    Returns:
      float32 [n, 1 + G, T], G classes; G is 0 without `train.taste`.
    """
    if responses is not None:
        return _logits(train, np.arange(len(train.responses)), responses)
    clips = train.responses.clips
    fold = np.random.default_rng(0).permutation(len(train))[clips] % min(FOLDS, len(train))
    classes = 0 if train.taste is None else len(train.targets[train.taste].names)
    found = np.zeros((len(clips), 1 + classes, len(train.said)), np.float32)
    for held in np.unique(fold):
        out = np.flatnonzero(fold == held)
        found[out] = _logits(train, np.flatnonzero(fold != held), train.responses.take(out, clips[out]))
    return found


def _logits(train: Opinions, rows: np.ndarray, responses: Responses) -> np.ndarray:
    """From these of the training's responses."""
    known = train.responses.take(rows, train.responses.clips[rows])
    cells = [np.concatenate([one.column(name) for one in (known, responses)]) for name in train.cells]
    ways: list[Sequence[np.ndarray]] = [cells]
    if train.taste is not None:
        target = train.targets[train.taste]
        heard = target.values[known.clips]
        for code in range(len(target.names)):
            ways.append([*cells, np.concatenate([heard, np.full(len(responses), code)]).astype(str)])
    rates = np.stack([smoothed_rates(way, known.said, len(responses), train.strength) for way in ways], axis=1)
    return np.log(rates / (1.0 - rates)).astype(np.float32)
