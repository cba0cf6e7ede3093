"""How wrong a prediction of a clip is, in numbers and in words."""

import numpy as np

from mu.evals.predictions import Predictions

# Classes, tags or numbers listed for one clip.
MOST_LISTED = 4


def errors(predictions: Predictions) -> np.ndarray:
    """float64 [n]: the error of each prediction; NaN where the truth is not known.

    Of classes it is the highest probability of a wrong class less that of the right one: in [-1, 1], and above 0 where
    the prediction is wrong. Of tags it is the mean binary cross-entropy. Of numbers it is the root mean square of the
    errors, each in standard deviations of the truth.
    """
    scores, known = predictions.scores.astype(np.float64), predictions.known
    error = np.full(len(scores), np.nan)
    if predictions.kind == "class":
        rows = np.flatnonzero(known)
        others = scores[rows].copy()
        others[np.arange(len(rows)), predictions.truth[rows]] = -np.inf
        error[rows] = others.max(axis=1) - scores[rows, predictions.truth[rows]]
    elif predictions.kind == "tags":
        error[known] = _cross_entropy(scores[known], predictions.truth[known].astype(np.float64)).mean(axis=1)
    else:
        truth = predictions.truth[known].astype(np.float64)
        deviation = np.maximum(truth.std(axis=0), 1e-9) if len(truth) else 1.0
        error[known] = np.sqrt((((scores[known] - truth) / deviation) ** 2).mean(axis=1))
    return error


def _cross_entropy(chance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    chance = np.clip(chance, 1e-7, 1 - 1e-7)
    return -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))


def by_error(predictions: Predictions, clips: tuple[str, ...]) -> list[int]:
    """Rows of the clips whose truth is known, largest error first; ties in the order of their ids."""
    error = errors(predictions)
    return sorted(np.flatnonzero(predictions.known).tolist(), key=lambda row: (-error[row], clips[row]))


def verdict(predictions: Predictions, row: int) -> tuple[bool | None, str]:
    """(whether the prediction is right, 'Is a, predicted b (0.97)'); None where that is a matter of degree."""
    if predictions.kind == "class":
        likeliest = int(predictions.scores[row].argmax())
        words = f"predicted {predictions.names[likeliest]} ({predictions.scores[row, likeliest]:.2f})"
        return bool(likeliest == predictions.truth[row]), f"Is {truth_words(predictions, row)}, {words}."
    error = errors(predictions)[row]
    if predictions.kind == "tags":
        return None, f"Mean cross-entropy over tags {error:.2f}."
    return None, f"Off by {error:.1f} standard deviations of the truth (root mean square)."


def truth_words(predictions: Predictions, row: int) -> str:
    """The class, the tags, or the numbers of a clip."""
    truth = predictions.truth[row]
    if not predictions.known[row]:
        return "not known"
    if predictions.kind == "class":
        return predictions.names[int(truth)]
    if predictions.kind == "tags":
        return ", ".join(name for name, there in zip(predictions.names, truth, strict=True) if there > 0) or "no tag"
    numbers = [f"{name} {value:.3g}" for name, value in zip(predictions.names, truth, strict=True)]
    return ", ".join(numbers[:MOST_LISTED]) + (", …" if len(numbers) > MOST_LISTED else "")


def listed_places(predictions: Predictions, row: int) -> list[int]:
    """What to list: the likeliest classes and the right one, or the tags or numbers that are most wrong."""
    scores = predictions.scores[row].astype(np.float64)
    if predictions.kind == "class":
        likely = np.argsort(-scores, kind="stable")[:MOST_LISTED].tolist()
        right = int(predictions.truth[row])
        return likely if right in likely else [*likely[:-1], right]
    truth = predictions.truth[row].astype(np.float64)
    if predictions.kind == "tags":
        error = _cross_entropy(scores, truth)
    else:
        error = np.abs(scores - truth) / np.maximum(predictions.truth[predictions.known].std(axis=0), 1e-9)
    return np.argsort(-error, kind="stable")[:MOST_LISTED].tolist()


def same_label(predictions: Predictions, one: int, other: int) -> bool | None:
    """Whether two clips have the same class, or a tag in common; None where that cannot be said."""
    if predictions.kind == "numbers" or not (predictions.known[one] and predictions.known[other]):
        return None
    if predictions.kind == "class":
        return bool(predictions.truth[one] == predictions.truth[other])
    return bool(((predictions.truth[one] > 0) & (predictions.truth[other] > 0)).any())
