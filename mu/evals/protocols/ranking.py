"""Runs on listening logs: the whole catalogue is ranked for every listener, the model's ranking and the baselines'."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mu.evals.metrics import check_names
from mu.evals.ranking import RankingEvaluator, RankingResult
from mu.evals.saving import save_evaluation
from mu.evals.table import format_table
from mu.inference.recommender import Encoder, TrainedRecommender
from mu.setup import Setup


class Ranking:
    """Validation sees and masks the training plays; test may see and mask the validation plays too.

    Args:
      setup: of a run on a log.
      metrics: of `mu.evals.metrics.METRICS`.
      ks: cut-offs.
      test_sees_valid: in the test, histories hold the validation plays.
      test_masks_valid: in the test, tracks of the validation plays are not ranked.
      bootstrap_samples: of the intervals.

    Attributes:
      names: 'recall@10' and so on.
      evaluators: {'valid', 'test'}.
      encoder: the run's listeners and tracks as vectors.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        ks: tuple[int, ...] = (10, 20),
        test_sees_valid: bool = True,
        test_masks_valid: bool = True,
        bootstrap_samples: int = 1000,
    ):
        check_names(ks, metrics)
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self.names = [f"{name}@{k}" for name in metrics for k in ks]
        self.encoder = Encoder(setup.model, setup.task, setup.batches.features)
        self._setup, self._samples = setup, bootstrap_samples
        self._protocol = {
            "metrics": list(metrics),
            "ks": list(ks),
            "test_sees_valid": test_sees_valid,
            "test_masks_valid": test_masks_valid,
            "bootstrap_samples": bootstrap_samples,
        }
        split = setup.split
        train_seen = split.train.seen()
        options: dict[str, Any] = {"known": setup.train.counts() > 0, "ks": tuple(ks), "metrics": tuple(metrics)}
        self.evaluators = {
            "valid": RankingEvaluator(targets=split.valid.seen(), histories=split.train, exclude=train_seen, **options),
            "test": RankingEvaluator(
                targets=split.test.seen(),
                histories=split.train.merged(split.valid) if test_sees_valid else split.train,
                exclude=train_seen.union(split.valid.seen()) if test_masks_valid else train_seen,
                **options,
            ),
        }

    def recommender(self, state: Mapping[str, Any]) -> TrainedRecommender:
        """The model with the weights of `state`."""
        return TrainedRecommender(self.encoder, state)

    def means(self, state: Mapping[str, Any]) -> dict[str, float]:
        """The means over listeners on the validation part."""
        return self.evaluators["valid"].run(self.recommender(state)).means()

    def report(self, part: str, state: Mapping[str, Any], output: Path, step: int) -> dict[str, RankingResult]:
        """Measures on `part`, writes the results to `output` and prints the table.

        Returns:
          {'model': ..., baseline: ...}.
        """
        setup, evaluator = self._setup, self.evaluators[part]
        results = {"model": evaluator.run(self.recommender(state))}
        for name, baseline in setup.baselines().items():
            results[name] = evaluator.run(baseline.fit(setup.train))
        seed = setup.config.seed
        protocol = {
            "split": setup.split.name,
            "refit": setup.config.refit,
            **self._protocol,
            "step": step,
            "seed": seed,
        }
        save_evaluation(output, results, setup.split.hash, protocol, samples=self._samples, seed=seed)
        print(format_table(results, samples=self._samples, seed=seed))
        return results
