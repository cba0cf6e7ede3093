"""Attributes of listeners as integer codes: categories and bins of numbers, fitted to training ratings."""

import dataclasses
import functools

import numpy as np

from mu.data.ratings.ratings import Ratings

UNKNOWN, RARE = 0, 1


@dataclasses.dataclass(frozen=True, eq=False)
class ListenerCodes:
    """Integer codes of the attributes of listeners.

    Code 0 is an unknown value. Of a category, 1 is a rare or unseen value and codes from 2 on count the frequent
    values. Of a number, codes from 1 on count its bins from the lowest.

    Attributes:
      categories: column -> values with a code of their own.
      edges: column -> float64, the inner edges of a number's bins.
    """

    categories: dict[str, tuple[str, ...]]
    edges: dict[str, np.ndarray]

    @functools.cached_property
    def sizes(self) -> dict[str, int]:
        """Column -> number of its codes."""
        sizes = {name: len(values) + 2 for name, values in self.categories.items()}
        return sizes | {name: len(edges) + 2 for name, edges in self.edges.items()}

    def encode(self, ratings: Ratings) -> np.ndarray:
        """int32 [n, columns]: the codes of the listener of each rating, columns in the order of `sizes`."""
        columns = []
        for name, values in self.categories.items():
            code: dict[str | None, int] = {value: place + 2 for place, value in enumerate(values)}
            code[None] = UNKNOWN
            columns.append([code.get(value, RARE) for value in ratings.categories[name]])
        for name, edges in self.edges.items():
            numbers = ratings.numbers[name]
            bins = 1 + np.searchsorted(edges, numbers, side="right")
            columns.append(np.where(np.isnan(numbers), UNKNOWN, bins))
        return np.array(columns, np.int32).reshape(len(columns), len(ratings)).T


def fit_listener_codes(ratings: Ratings, *, min_count: int, bins: int) -> ListenerCodes:
    """Fits the codes of listeners' attributes to these ratings.

    Fit them to training ratings alone: with others, a rare value would tell which listeners the test holds.

    Args:
      ratings: to learn from.
      min_count: ratings that a category needs for a code of its own.
      bins: most bins of a number; each has about as many ratings.
    """
    categories = {}
    for name, values in ratings.categories.items():
        names, counts = np.unique([value for value in values if value is not None], return_counts=True)
        categories[name] = tuple(str(value) for value in names[counts >= min_count])
    edges = {}
    for name, values in ratings.numbers.items():
        finite = values[~np.isnan(values)]
        inner = np.linspace(0, 1, bins + 1)[1:-1]
        edges[name] = np.unique(np.quantile(finite, inner)) if len(finite) else np.zeros(0)
        edges[name] = edges[name][edges[name] > finite.min()] if len(finite) else edges[name]
    return ListenerCodes(categories, edges)
