"""The best k items so far as a heap: scores and ids in two arrays, the worst on top."""

from mu_kernels.compile import kernel


@kernel
def worse(score_a, id_a, score_b, id_b):
    """Whether a ranks below b: a lower score, or the same score and a higher id."""
    return score_a < score_b or (score_a == score_b and id_a > id_b)


@kernel
def sift_down(ids, scores, size):
    """Restores the heap of the first `size` slots after its top was replaced."""
    at, item, score = 0, ids[0], scores[0]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and worse(scores[child + 1], ids[child + 1], scores[child], ids[child]):
            child += 1
        if not worse(scores[child], ids[child], score, item):
            break
        ids[at], scores[at] = ids[child], scores[child]
        at = child
    ids[at], scores[at] = item, score


@kernel
def sift_up(ids, scores, size, item, score):
    """Adds an entry to the heap of the first `size` slots."""
    at = size
    while at > 0 and worse(score, item, scores[(at - 1) // 2], ids[(at - 1) // 2]):
        ids[at], scores[at] = ids[(at - 1) // 2], scores[(at - 1) // 2]
        at = (at - 1) // 2
    ids[at], scores[at] = item, score


@kernel
def sort_heap(ids, scores, size):
    """Turns the heap of the first `size` slots into a list, best first."""
    while size > 1:
        size -= 1
        ids[0], ids[size] = ids[size], ids[0]
        scores[0], scores[size] = scores[size], scores[0]
        sift_down(ids, scores, size)
