"""What a model said of single clips: how wrong it was, and that in words."""

import numpy as np

from mu.evals.clip_scores import Said

# Classes, tags or numbers told of one clip.
MOST_SHOWN = 4


def errors(said: Said) -> np.ndarray:
    """float64 [n]: how wrong each answer is; NaN where the truth is not known.

    Of classes the highest probability of a wrong one less that of the right one, in [-1, 1] and above 0 where the
    answer is wrong; of tags the mean binary cross-entropy; of numbers the root mean square of their errors, each in
    standard deviations of the truth.
    """
    scores, known = said.scores.astype(np.float64), said.known
    found = np.full(len(scores), np.nan)
    if said.kind == "class":
        rows = np.flatnonzero(known)
        others = scores[rows].copy()
        others[np.arange(len(rows)), said.truth[rows]] = -np.inf
        found[rows] = others.max(axis=1) - scores[rows, said.truth[rows]]
    elif said.kind == "tags":
        found[known] = _cross_entropy(scores[known], said.truth[known].astype(np.float64)).mean(axis=1)
    else:
        truth = said.truth[known].astype(np.float64)
        deviation = np.maximum(truth.std(axis=0), 1e-9) if len(truth) else 1.0
        found[known] = np.sqrt((((scores[known] - truth) / deviation) ** 2).mean(axis=1))
    return found


def _cross_entropy(chance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    chance = np.clip(chance, 1e-7, 1 - 1e-7)
    return -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))


def by_error(said: Said, clips: tuple[str, ...]) -> list[int]:
    """Rows of the known clips, most wrong first; ties in the order of their ids."""
    wrong = errors(said)
    return sorted(np.flatnonzero(said.known).tolist(), key=lambda row: (-wrong[row], clips[row]))


def verdict(said: Said, row: int) -> tuple[bool | None, str]:
    """(whether the answer is right, 'Is a, said to be b (0.97)'); None where that is a matter of degree."""
    if said.kind == "class":
        told = int(said.scores[row].argmax())
        answer = f"said to be {said.names[told]} ({said.scores[row, told]:.2f})"
        return bool(told == said.truth[row]), f"Is {truth_words(said, row)}, {answer}."
    error = errors(said)[row]
    if said.kind == "tags":
        return None, f"Mean cross-entropy over tags {error:.2f}."
    return None, f"Off by {error:.1f} standard deviations of the truth (root mean square)."


def truth_words(said: Said, row: int) -> str:
    """The class, the tags, or the numbers of a clip."""
    truth = said.truth[row]
    if not said.known[row]:
        return "not known"
    if said.kind == "class":
        return said.names[int(truth)]
    if said.kind == "tags":
        return ", ".join(name for name, there in zip(said.names, truth, strict=True) if there > 0) or "no tag"
    told = [f"{name} {value:.3g}" for name, value in zip(said.names, truth, strict=True)]
    return ", ".join(told[:MOST_SHOWN]) + (", …" if len(told) > MOST_SHOWN else "")


def told_places(said: Said, row: int) -> list[int]:
    """What is worth showing of a clip: the likeliest classes and the right one; of tags and numbers the most off."""
    scores = said.scores[row].astype(np.float64)
    if said.kind == "class":
        likely = np.argsort(-scores, kind="stable")[:MOST_SHOWN].tolist()
        right = int(said.truth[row])
        return likely if right in likely else [*likely[:-1], right]
    truth = said.truth[row].astype(np.float64)
    if said.kind == "tags":
        off = _cross_entropy(scores, truth)
    else:
        off = np.abs(scores - truth) / np.maximum(said.truth[said.known].std(axis=0), 1e-9)
    return np.argsort(-off, kind="stable")[:MOST_SHOWN].tolist()


def shared(said: Said, one: int, other: int) -> bool | None:
    """Whether two clips have the same class, or a tag in common; None where that cannot be said."""
    if said.kind == "numbers" or not (said.known[one] and said.known[other]):
        return None
    if said.kind == "class":
        return bool(said.truth[one] == said.truth[other])
    return bool(((said.truth[one] > 0) & (said.truth[other] > 0)).any())
