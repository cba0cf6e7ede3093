"""Another run as a baseline of this one."""

import os

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.inference.recommender import TrainedRecommender
from mu.inference.time_aware import TimeAwareRecommender
from mu.run.restore import open_run


class EarlierRun:
    """The best weights of another run, `{'name': 'mu.run.baseline:EarlierRun', 'workdir': DIR}`.

    New releases are not boosted; offsets by age are those of its policy.

    Args:
      workdir: of a run on the same log.
    """

    def __init__(self, workdir: str | os.PathLike[str]):
        self._workdir = workdir

    def fit(self, train: Interactions) -> TrainedRecommender:
        """The recommender of the run, which has learnt already.

        Raises:
          ValueError: it learnt from other plays.
        """
        run = open_run(self._workdir)
        plays = run.training_data(run.open_split()[1])
        same = isinstance(plays, Interactions)
        if not (same and np.array_equal(plays.indptr, train.indptr) and np.array_equal(plays.items, train.items)):
            raise ValueError(
                f"{self._workdir} has learnt from other plays than this run; give both the same data and split"
            )
        recommender = run.up_to_date().recommender()
        if isinstance(recommender, TimeAwareRecommender):
            return recommender.with_policy(recommender.policy.without_boost())
        return recommender
