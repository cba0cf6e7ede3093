"""The folder of a sweep: sweep.json with its settings and trials, and a folder for each trial."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mu import trust
from mu.config.base import Config, ConfigError
from mu.files import read_json, write_json
from mu.protocols import Split
from mu.run.same_run import refuse_other_config
from mu.run.workdir import refuse_other_split
from mu.sweep.propose import Sampler
from mu.sweep.space import Choices, parse_space
from mu.sweep.trial import Trial

FILE = "sweep.json"
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """What a sweep is, but for its number of trials, which may grow.

    Attributes:
      config: FILE[:ARG,...]; None for a baseline on a log.
      log: folder of the log of a baseline; None for that of the config.
      baseline: 'package.module:Class'; None for the model of the config.
      over: the space, see `mu.sweep.space.parse_space`.
      changes: overrides of every trial.
      metric: 'valid/ranking/ndcg@10'; None for config.best.metric.
      sampler: see `mu.sweep.propose.propose`.
      seed: of the sampler.
      halving: whether trials are stopped by successive halving.
    """

    over: str
    config: str | None = None
    log: str | None = None
    baseline: str | None = None
    changes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    metric: str | None = None
    sampler: Sampler = "tpe"
    seed: int = 0
    halving: bool = False


class SweepFolder:
    """Reads and writes a folder that nobody else writes.

    Args:
      folder: of the sweep.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._document: dict[str, Any] = {}
        if is_sweep(folder):
            self._document = read_document(folder)

    @property
    def trials(self) -> list[Trial]:
        """In order of their numbers."""
        return [Trial.from_json(one) for one in self._document.get("trials", ())]

    @property
    def parallel(self) -> int:
        """How many trials ran at once; 1 before any has."""
        return self._document.get("parallel", 1)

    @property
    def fitting(self) -> int | None:
        """How many trials `--parallel=auto` has found to fit; None before."""
        return self._document.get("fitting")

    @property
    def count(self) -> int | None:
        """How many trials there are to be; None before it is known."""
        return self._document.get("count")

    @property
    def finished(self) -> Mapping[str, Any] | None:
        """What `--finish` has measured; None before."""
        return self._document.get("finished")

    def begin(self, settings: SweepSettings, config: Config, split: Split) -> None:
        """Begins a sweep, or takes one up.

        Raises:
          ConfigError: the folder holds another sweep; names what differs.
          ValueError: it holds one of other data.
        """
        now, resolved = dataclasses.asdict(settings), json.loads(config.to_json())
        if self._document:
            before = self._document["settings"]
            # Files may move: what is in them is held against what was in them.
            keys = [key for key in now if key not in ("config", "log")]
            changed = [f"{key}: {before.get(key)!r} -> {now[key]!r}" for key in keys if before.get(key) != now[key]]
            if changed:
                raise ConfigError(
                    f"{self.folder} holds another sweep; choose another --workdir, or set:\n  " + "\n  ".join(changed)
                )
            refuse_other_config(self._document["config"], resolved, self.folder)
            refuse_other_split(split, self._document["split_hash"], self.folder)
            self._document["settings"] = now
        else:
            space = {key: dataclasses.asdict(one) for key, one in parse_space(settings.over).items()}
            self._document = {"format_version": FORMAT_VERSION, "settings": now, "space": space, "config": resolved}
            self._document["split_hash"] = split.hash

    def write(self, trials: Sequence[Trial], **more: Any) -> None:
        """Writes the trials, and entries beside them, whole."""
        self._document = {**self._document, **more, "trials": [trial.to_json() for trial in trials]}
        write_json(self.folder / FILE, self._document)

    def place(self, trial: Trial) -> Path:
        """The folder of a trial."""
        return self.folder / "trials" / trial.name


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep."""
    return (folder / FILE).is_file()


def read_document(folder: Path) -> dict[str, Any]:
    """What sweep.json holds.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is of another version.
    """
    if not is_sweep(folder):
        raise FileNotFoundError(f"{folder} holds no sweep ({FILE} is missing); make one with `mu sweep`")
    document = read_json(folder / FILE)
    if document.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{folder / FILE} is not of this version of mu: sweep again, in another folder")
    return document


def settings_in(folder: Path, changes: Mapping[str, Any]) -> SweepSettings:
    """The settings of the sweep in a folder with changes.

    What the folder says is not the user's own program: a file that it names is not run, and what it names is called
    only where mu or a trusted package has it.

    Args:
      folder: of the sweep.
      changes: settings of the call.

    Raises:
      ConfigError: the call names no config, and the sweep has one; or the folder names what must not be called.
    """
    before = SweepSettings(**read_document(folder)["settings"])
    if before.config is not None and "config" not in changes:
        raise ConfigError(
            f"give --config=FILE[:ARG,...] again (it was {before.config}): it is a program, and is not run because a "
            f"file, {folder / FILE}, names it"
        )
    saved: dict[str, Any] = {"baseline": before.baseline, "changes": before.changes}
    saved["over"] = {key: one.texts for key, one in parse_space(before.over).items() if isinstance(one, Choices)}
    try:
        trust.refuse_untrusted({key: value for key, value in saved.items() if key not in changes}, folder / FILE)
    except trust.Untrusted as error:
        raise ConfigError(str(error)) from None
    return dataclasses.replace(before, **changes)
