"""A trial of a sweep: its parameters, how it ended, and what it measured."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

State = Literal["running", "complete", "stopped", "failed"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial, and what sweep.json holds of it.

    Attributes:
      number: from 0.
      params: key -> value as `--config.KEY=` takes it.
      state: 'running' until it has ended; 'complete'; 'stopped' by successive halving; or 'failed'.
      value: of the metric on the validation part, larger is better: of a complete trial that of its best weights, of a
        stopped one the best that it had; None of others.
      step: of the weights with this value; None of baselines.
      evaluations: [step, value] of each evaluation during training; none of baselines.
      repeats: number of an earlier trial with the same parameters, whose value this is; None of others.
      duration_s: how long it took.
      peak_memory_bytes: of the process that ran it, so far; None where it is not known.
      device_share: of an accelerator's memory, the largest, in that process; None without one.
      reason: why it failed; empty for others.
    """

    number: int
    params: Mapping[str, str]
    state: State = "running"
    value: float | None = None
    step: int | None = None
    evaluations: Sequence[tuple[int, float]] = ()
    repeats: int | None = None
    duration_s: float | None = None
    peak_memory_bytes: int | None = None
    device_share: float | None = None
    reason: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it needs not run any more."""
        return self.state != "running"

    @property
    def name(self) -> str:
        """Of its folder: '0007'."""
        return f"{self.number:04d}"

    @property
    def words(self) -> str:
        """'model.dim=64, optimizer.learning_rate=0.001'."""
        return ", ".join(f"{key}={value}" for key, value in self.params.items())

    @property
    def reason_line(self) -> str:
        """The last line of the reason: of a traceback the error itself."""
        return self.reason.rpartition("\n")[2]

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> "Trial":
        """The trial that was written."""
        evaluations = tuple((int(step), float(value)) for step, value in entries["evaluations"])
        return cls(**{**entries, "evaluations": evaluations})


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the largest value, the first of equal ones; None where none is complete."""
    complete = distinct(trials)
    return max(complete, key=lambda trial: trial.value or 0.0, default=None) if complete else None


def distinct(trials: Sequence[Trial]) -> list[Trial]:
    """The complete trials, those that repeat an earlier one left out."""
    return [trial for trial in trials if trial.state == "complete" and trial.repeats is None]
