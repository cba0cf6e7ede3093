"""Texts as hashed words and character n-grams, so that a model reads words it has never seen."""

import re
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np

HASH_SIZE = 2**14
"""Places that n-grams are hashed to."""
LENGTHS = (3, 4, 5)
"""Characters of an n-gram, of which a word's begin and end are two."""
MOST = 512
"""Places of a text that are kept: those of some hundred words."""


def ngrams(text: str) -> list[int]:
    """The places below `HASH_SIZE` of a text's words and n-grams, ascending, each once; none of a text without a word.

    As in fastText (Bojanowski et al. 2017, arXiv:1607.04606): '<' and '>' mark where a word begins and ends, so that
    the n-gram 'her>' is another than 'her'. Case and the form of Unicode do not count; a sharp belongs to its word.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u266f", "#")
    words = (f"<{word}>" for word in re.findall(r"\w+#*", plain))
    parts = {part for word in words for part in (word, *_parts(word))}
    return sorted({zlib.crc32(part.encode()) % HASH_SIZE for part in parts})


def ngram_rows(texts: Sequence[str]) -> np.ndarray:
    """int32 [n, G]: the places of `ngrams` of each text, filled up with -1; G is at least 1 and at most `MOST`.

    Of a longer text the lowest places are kept, which are as good as any: they are hashes.
    """
    rows = [ngrams(text)[:MOST] for text in texts]
    places = np.full((len(rows), max([1, *map(len, rows)])), -1, np.int32)
    for row, own in enumerate(rows):
        places[row, : len(own)] = own
    return places


def _parts(word: str) -> list[str]:
    return [word[start : start + length] for length in LENGTHS for start in range(len(word) - length + 1)]
