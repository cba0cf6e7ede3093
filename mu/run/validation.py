"""The evaluation of a run on its validation part during training."""

import numpy as np

from mu.run.build import Run
from mu.run.check_metric import check_metric
from mu.run.evaluation import (
    build_baselines,
    build_evaluators,
    check_policy_metric,
    content_encoder,
    held_out_loss,
    model_of,
)
from mu.training.state import State, weights


class Validation:
    """Measures the weights of a run on its validation part; of a refit it only says what the test will measure.

    Args:
      run: the run.

    Attributes:
      evaluators: of the validation part, by name.
      names: 'ranking/ndcg@10' and so on; 'negative_loss' too where batches hold out.

    Raises:
      ConfigError: no evaluator has the metric that config.policy is chosen by, it describes lists, or a baseline cannot
        be built.
      ValueError: a baseline lacks something in the data.
    """

    def __init__(self, run: Run):
        self._run = run
        # A refit measures nothing before the test: what cannot be measured then is refused now.
        self.evaluators = build_evaluators(run, "test" if run.config.refit else "valid")
        self.names = [f"{name}/{metric}" for name, one in self.evaluators.items() for metric in one.names]
        # They are fitted after training: wrong options, and what they lack in the data, are said before it.
        build_baselines(run.config.baselines, run.train)
        policy = run.config.policy
        if policy is not None and "metric" in policy and not run.config.refit:
            check_policy_metric(policy.metric, self.names)
            check_metric(policy.metric, "config.policy.metric", self.evaluators)
        self._content = content_encoder(run)
        if run.batches.holds_out:
            self.names = ["negative_loss", *self.names]
            self._loss = held_out_loss(run)

    def measure(self, state: State) -> dict[str, float]:
        """The metrics of the validation part by `names`; content of tracks that training never played is computed."""
        params, rows = weights(state)
        values = {}
        if self._run.batches.holds_out:
            values["negative_loss"] = -self._loss(state, self._run.split.valid)
        if self.evaluators:
            if self._content is not None:
                content = np.asarray(rows["content"])
                new = np.asarray(rows["plays"])[:, 0] == 0
                rows = {**rows, "content": self._content.content(params, content, new)}
            model = model_of(self._run, params, rows)
            for name, evaluator in self.evaluators.items():
                values |= {f"{name}/{metric}": value for metric, value in evaluator.run(model).values().items()}
        return values
