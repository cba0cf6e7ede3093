"""The parts that the vectors of a log's tracks are the sum of."""

import numpy as np

from mu.data.listening.hashed_features import hashed_features
from mu.data.listening.listening import Listening
from mu.data.summary import LogSummary
from mu.inference.time_aware import TimeAwareRecommender


def score_parts(recommender: TimeAwareRecommender, log: Listening | LogSummary) -> dict[str, np.ndarray]:
    """Name -> float32 [V, D], each column that the model is given apart (`TimeAwareRecommender.score_parts`)."""
    columns = {name: hashed_features(log.tracks, (name,), log.hash_size) for name in log.item_columns}
    return recommender.score_parts(columns)
