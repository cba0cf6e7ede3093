"""A run, read top to bottom: data, model, loop, checkpoints, evaluation.

    mu train --config=experiments/x.py[:arg,...] --workdir=DIR [--config.model.dim=128 ...]

The workdir holds config.json (all keys, resolved), run.json (command, versions, devices, commit, own modules,
hashes of the data, duration, memory),
metrics.jsonl, checkpoints/ and evaluation/. The same command again goes on where it stopped.
"""

import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from mu.config.base import Config, ConfigError
from mu.config.paths import anchored
from mu.config.resolve import locate, resolve
from mu.console import Progress, working
from mu.data.loader import loader
from mu.durations import duration
from mu.files import write_json
from mu.interrupts import Interrupts
from mu.locks import FOLDER_LOCK, writing
from mu.run.build import build_run
from mu.run.check_metric import check_metric
from mu.run.evaluation import Results, evaluate
from mu.run.initialise import initialise
from mu.run.record import RunRecord
from mu.run.refit import CHOOSE, CHOSEN, ChosenSteps, choosing
from mu.run.same_run import refuse_other_config
from mu.run.saved_inputs import has_inputs, save_inputs
from mu.run.usage import (
    left_out_of_training,
    left_out_sentence,
    unmeasured_published,
    unused_weights,
    weight_uses,
)
from mu.run.validation import Validation
from mu.run.workdir import refuse_other_split
from mu.training.checkpoint import Checkpoints, unusable_characters
from mu.training.clock import Clock
from mu.training.finite import all_finite, check_finite, not_finite
from mu.training.sharding import put_batch
from mu.training.writers import JsonLines, Writer
from mu.trust import trust_config

logger = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"


Stop = Callable[[int, float], bool]
"""(step, value of config.best.metric) -> whether training ends with this evaluation."""


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    mesh: jax.sharding.Mesh | None = None,
    *,
    part: str = "test",
    stop: Stop | None = None,
) -> Results:
    """Trains, or goes on training, and evaluates; returns {evaluation: {'model': result, baseline: ...}}.

    Args:
      config: of `mu.config.overrides.load`.
      workdir: the run's folder.
      mesh: the devices; None for those that the config asks for.
      part: that the best weights are measured on: 'test', or 'valid' for a run whose test is to stay unknown.
      stop: asked after each evaluation of the validation part; a run that it ends is not measured and returns {}.

    Raises:
      ConfigError: the config cannot be run, or differs from the one that the workdir holds.
      NotFinite: loss or gradient is no number; the last checkpoint, if there is one, is good.
      SystemExit: after SIGTERM or Ctrl-C, with 128 + the signal's number; what was learnt is saved.
      KeyboardInterrupt: after SIGTERM or Ctrl-C before the first step or after the last.
    """
    check_workdir(workdir)
    writes = jax.process_index() == 0
    alone = writing(workdir) if writes else contextlib.nullcontext(Path(workdir))
    with Interrupts() as interrupts, alone as folder:
        began_empty = writes and set(os.listdir(folder)) <= {FOLDER_LOCK}
        try:
            chosen = _chosen(config, folder, mesh, interrupts) if config.refit == CHOSEN else None
            with contextlib.closing(RunRecord(folder)) as record:
                return _train(config, folder, mesh, interrupts, record, part, stop, chosen)
        except Exception:
            if began_empty:
                forget(folder)
            raise


def _chosen(config: Config, folder: Path, mesh: jax.sharding.Mesh | None, interrupts: Interrupts) -> ChosenSteps:
    """How long the refit in a folder learns: what is known already, or what a run on the training part says."""
    trust_config(config.to_dict())
    config = anchored(resolve(config), os.getcwd())
    chosen = ChosenSteps.load(folder)
    if chosen is None:
        with working("opening the data and building the model"):
            Validation(build_run(config, mesh))  # what the refit is refused for is said before anything is learnt
        place = folder / CHOOSE
        place.mkdir(exist_ok=True)
        logger.info(f"Choosing the steps on validation, in {place}.")
        with contextlib.closing(RunRecord(place)) as record:
            _train(choosing(config), place, mesh, interrupts, record, None, None)
        chosen = ChosenSteps.of_run(place, folder)
        chosen.save(folder)
    chosen.refuse_other_config(config, folder)
    logger.info(
        f"Chosen on validation: step {chosen.step:,}, {chosen.epochs:.2f} epochs ({chosen.metric} {chosen.value:.4f}). "
        "From here on all but the test is learnt, for as many epochs."
    )
    return chosen


def _train(
    config: Config,
    folder: Path,
    mesh: jax.sharding.Mesh | None,
    interrupts: Interrupts,
    record: RunRecord,
    part: str | None,
    stop: Stop | None,
    chosen: ChosenSteps | None = None,
) -> Results:
    """Trains, and evaluates on a part if one is named; signals are noted by `interrupts`."""
    started = time.perf_counter()
    trust_config(config.to_dict())
    config = resolve(config)  # what was set since it was loaded is held against its range too
    if config.refit and chosen is None and config.best.patience is not None:
        raise ConfigError(
            "config.refit trains on the validation plays, so they cannot stop it: set refit='chosen', or "
            "best.patience=None and the total_steps that a run without refit chose"
        )
    config = anchored(config, os.getcwd())
    saved, note = [], None
    if (folder / CHECKPOINTS).is_dir():
        with contextlib.closing(Checkpoints(folder / CHECKPOINTS)) as checkpoints:
            saved = checkpoints.steps()
            note = checkpoints.note(saved[-1]) if saved else None
    resolved = json.loads(config.to_json())
    if note is not None:
        refuse_other_config(note["config"], resolved, folder)

    with working("opening the data and building the model"):
        run = build_run(config, mesh, chosen)
    validation, metric = Validation(run), config.best.metric
    # Of a refit these are the names of the test part, which may have other sections.
    measured = None if config.refit else [f"valid/{name}" for name in validation.names]
    check_metric(metric, "config.best.metric", validation.evaluators, measured)
    step_number = 0
    batches = loader(run.batches, config.seed)
    progress: dict[str, Any] = {"best_step": None, "best_value": None, "evaluations_since_best": 0}
    if note is not None:
        refuse_other_split(run.split, note["split"], folder)
    else:
        with working("drawing the first weights"):
            state = initialise(run)
    uses, left_out = weight_uses(config), left_out_of_training(run.batches, run.task)
    sentences = (
        left_out_sentence(left_out),
        unused_weights(config, run.data),
        unmeasured_published(config, validation.names),
    )
    for sentence in filter(None, sentences):
        logger.info(sentence)
    # What is refused has been refused: from here on the folder is written. Opening it for writing removes the
    # checkpoints that a killed run left half-written.
    write_json(folder / "config.json", resolved)
    checkpoints = Checkpoints(folder / CHECKPOINTS, writes=True)
    if note is not None:
        step_number = saved[-1]
        state = checkpoints.load(step_number, run.plan.shapes)
        batches.set_state(note["data"])
        progress = note["progress"]
        logger.info(f"Going on from step {step_number:,} of {folder}.")
    record.begin(run, config, {"left_out_of_training": left_out, "weights_used_by": uses})
    if note is None or not has_inputs(folder, run.split.hash):
        save_inputs(folder, run.split.hash, run.data, run.train, run.batches)
    writers: list[Writer] = [JsonLines(folder, step_number)]
    clock = Clock(step_number, run.total_steps)

    def save(value: float | None) -> None:
        note = {"data": batches.get_state(), "progress": progress, "config": resolved, "split": run.split.hash}
        checkpoints.save(step_number, state, note, value)

    def write(values: Mapping[str, float]) -> None:
        for writer in writers:
            writer.write(step_number, values)

    def out_of_patience() -> bool:
        patience = config.best.patience
        return patience is not None and progress["evaluations_since_best"] >= patience

    patient = config.best.patience is not None
    pending: tuple[int, Any] | None = None
    examples, tracing = 0.0, False
    compiled: set[frozenset[str]] = set()  # batches with other arrays are other programs
    try:
        for path in config.writers:
            writers.append(locate(path, "config.writers")(folder, step_number))
        # Copies between host and devices are those that the loop asks for, with device_put and device_get.
        with interrupts.noting(), Progress(may_end_sooner=patient) as progress_bar, jax.transfer_guard("disallow"):
            progress_bar.update("train", step_number, run.total_steps)
            while step_number < run.total_steps and not out_of_patience() and not progress.get("stopped"):
                if step_number == config.profile.start:
                    jax.profiler.start_trace(str(folder / "profile"))
                    tracing = True
                with clock.waiting():
                    batch = put_batch(next(batches), run.mesh)
                first = frozenset(batch) not in compiled
                with working("compiling") if first else contextlib.nullcontext():
                    state, metrics = run.step(state, batch)
                step_number += 1
                # The numbers of the step before are fetched while this one runs.
                if pending is not None:
                    examples += check_finite(*pending, checkpoints)["weight"]
                pending = (step_number, metrics)
                if first:  # it was compiled in here: kept out of the timing
                    check_finite(*pending, checkpoints)
                    pending, examples = None, 0.0
                    if not compiled:
                        logger.info(f"First step after {duration(time.perf_counter() - started)}.")
                    compiled.add(frozenset(batch))
                    clock.begin(step_number)
                if tracing and step_number == config.profile.start + config.profile.steps:
                    jax.block_until_ready(metrics)
                    jax.profiler.stop_trace()
                    tracing = False

                stop_signal = interrupts.signal
                last = step_number == run.total_steps
                log_now = last or step_number % config.log_every_steps == 0
                evaluate_now = not config.refit and (last or step_number % config.evaluate_every_steps == 0)
                save_now = (
                    last or evaluate_now or step_number % config.checkpoint_every_steps == 0 or stop_signal is not None
                )
                if log_now or save_now:
                    values = check_finite(step_number, metrics, checkpoints)
                    if pending is not None:
                        examples, pending = examples + values["weight"], None
                if save_now and not jax.device_get(all_finite(state)):
                    raise not_finite(step_number, "the weights are no longer finite", checkpoints)
                if log_now:
                    timing = clock.report(step_number, examples)
                    examples = 0.0
                    write({"loss": values["loss"], "grad_norm": values["grad_norm"], **timing})
                    pace = f", {timing['step_ms']:.1f} ms a step" if timing else ""
                    progress_bar.update("train", step_number, run.total_steps, f"loss {values['loss']:.4f}{pace}")
                value = None
                if evaluate_now:
                    with clock.paused(), jax.transfer_guard("allow"):
                        means = validation.measure(state)
                    valid_metrics = {f"valid/{name}": value for name, value in means.items()}
                    write(valid_metrics)
                    value = valid_metrics[metric]
                    better = progress["best_value"] is None or value > progress["best_value"]
                    if better:
                        progress = {
                            "best_step": step_number,
                            "best_value": value,
                            "evaluations_since_best": 0,
                        }
                    else:
                        since = progress["evaluations_since_best"] + 1
                        progress = {**progress, "evaluations_since_best": since}
                    logger.info(f"step {step_number:,}: {metric} {value:.4f}{' (best so far)' if better else ''}")
                    if stop is not None and not last and stop(step_number, value):
                        progress = {**progress, "stopped": True}  # saved: a run that is killed now stays stopped
                if save_now:
                    with clock.paused():
                        save(value)
                if stop_signal is not None:
                    checkpoints.wait()
                    logger.info(f"Stopped at step {step_number:,}; the same command goes on from here.")
                    raise SystemExit(128 + stop_signal)
    finally:
        if tracing:
            jax.profiler.stop_trace()
        checkpoints.wait()
        for writer in writers:
            writer.close()

    if progress.get("stopped"):
        checkpoints.close()
        logger.info(f"Ended at step {step_number:,}, as the trials beside it are ahead.")
        return {}
    # A refit holds nothing out to choose by: its last weights are the result.
    best_step = step_number if config.refit else progress["best_step"]
    if best_step is None:
        raise ConfigError(
            f"config.total_steps={config.total_steps}, and {folder} is at step {step_number} with nothing evaluated "
            "yet: set more steps"
        )
    if part is None:
        checkpoints.close()
        return {}
    if best_step != step_number:
        state = checkpoints.load(best_step, state)
    checkpoints.close()
    reason = "the last of a refit" if config.refit else f"{metric} {progress['best_value']:.4f}"
    epochs = best_step * run.batches.batch_size / run.batches.n_examples
    doing = "Testing" if part == "test" else "Measuring on validation"
    logger.info(f"{doing} the weights of step {best_step:,} ({epochs:.2f} epochs; {reason}).")
    with Progress() as progress_bar:
        output = folder / ("evaluation" if part == "test" else f"evaluation_{part}")
        return evaluate(run, state, best_step, part, output, folder, progress=progress_bar.update)


def forget(folder: Path) -> None:
    """Empties the folder of a run that ended before anything of it was logged or saved."""
    for place in (folder, folder / CHOOSE):
        metrics = place / "metrics.jsonl"
        if (metrics.is_file() and metrics.stat().st_size) or any((place / CHECKPOINTS).glob("*")):
            return
    for path in folder.iterdir():
        if path.name != FOLDER_LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def check_workdir(workdir: str | os.PathLike[str]) -> None:
    """Raises ConfigError where no checkpoints can be written below `workdir`, because of its name."""
    if signs := unusable_characters(workdir):
        raise ConfigError(
            f"--workdir={workdir}: no checkpoints can be written below {os.path.abspath(workdir)}, because of "
            f"{' '.join(signs)} in its name; choose another"
        )
