"""Checkpoints: what is kept, what a killed process may leave behind, and what reading must not touch."""

import contextlib
import errno
import os
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu.training.checkpoint import Checkpoints, unusable_characters
from mu.training.saved_checkpoints import SavedCheckpoints


def state(step):
    return {"params": {"w": jnp.full((3, 2), float(step)), "half": jnp.ones(2, jnp.bfloat16)}, "step": jnp.int32(step)}


def note(step):
    return {"data": {"next": step}, "progress": {"best_step": None, "value": 0.1 + step}, "config": {"a": [1, None]}}


@pytest.fixture
def write(tmp_path):
    """Saves steps of a run, {step: value or None}; returns the folder."""

    def save(values):
        checkpoints = Checkpoints(tmp_path, writes=True)
        for step, value in values.items():
            checkpoints.save(step, state(step), note(step), value)
        checkpoints.close()
        return tmp_path

    return save


def load(folder, step):
    checkpoints = Checkpoints(folder)
    found = checkpoints.load(step, state(0)), checkpoints.note(step)
    checkpoints.close()
    return found


def steps(folder):
    checkpoints = Checkpoints(folder)
    found = checkpoints.steps()
    checkpoints.close()
    return found


def assert_holds(folder, step):
    found, said = load(folder, step)
    jax.tree.map(np.testing.assert_array_equal, found, state(step))
    assert [x.dtype for x in jax.tree.leaves(found)] == [x.dtype for x in jax.tree.leaves(state(step))]
    assert said == note(step)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({1: None, 2: None, 3: None}, [3]),
        ({1: None, 2: 0.5, 3: None, 4: 0.3, 5: None}, [2, 5]),
        ({1: 0.1, 2: 0.2, 3: 0.3}, [3]),
        ({1: 0.3, 2: 0.3, 3: 0.3}, [1, 3]),  # equally good: the first, which early stopping names as the best
        ({1: -0.5, 2: -0.7}, [1, 2]),
    ],
)
def test_the_latest_and_the_best_are_kept(write, values, kept):
    folder = write(values)
    assert steps(folder) == kept
    assert sorted(int(path.name) for path in folder.iterdir()) == kept
    for step in kept:
        assert_holds(folder, step)


def test_what_is_best_is_known_after_a_restart(write):
    write({1: 0.5, 2: 0.1})
    folder = write({3: 0.2, 4: None})
    assert steps(folder) == [1, 4]


def test_a_state_may_be_overwritten_as_soon_as_save_returns(tmp_path):
    """The step is given the state's buffers; what is written must be what was there."""
    checkpoints = Checkpoints(tmp_path, writes=True)
    add = jax.jit(lambda x: x + 1.0, donate_argnums=0)
    array = jnp.zeros((512, 512))
    for step in range(1, 4):
        array = add(array)
        checkpoints.save(step, {"x": array}, {"step": step})
        for _ in range(20):
            array = add(array)
        array = add(array) - 21.0
    checkpoints.wait()
    np.testing.assert_array_equal(checkpoints.load(3, {"x": array})["x"], 3.0)
    checkpoints.close()


def test_half_written_checkpoints_do_not_disturb_and_only_the_run_removes_them(write):
    folder = write({3: None})
    # What a run killed while it wrote leaves: orbax renames the folder when it is whole.
    half = folder / "6.orbax-checkpoint-tmp"
    shutil.copytree(folder / "3", half)
    (half / "_CHECKPOINT_METADATA").unlink()
    assert steps(folder) == [3] and half.exists()  # a reader must not: the writer may be alive
    assert_holds(folder, 3)
    write({6: None})
    assert not half.exists() and steps(folder) == [6]


def test_half_deleted_checkpoints_do_not_disturb(write):
    """A run killed while it removed an old checkpoint."""
    folder = write({3: 0.5, 6: 0.1})
    shutil.rmtree(folder / "3" / "state")
    assert steps(folder)[-1] == 6
    assert_holds(folder, 6)
    write({9: None})
    assert_holds(folder, 9)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_no_path_is_a_pattern(tmp_path):
    """Written where it can be, read in a folder of any name; another run's folder matches that name as a pattern."""
    for name, step in (("a1xy %41 é\n", 3), ("a %41 é\n", 4)):
        assert unusable_characters(tmp_path / name) == ""
        checkpoints = Checkpoints(tmp_path / name, writes=True)
        checkpoints.save(step, state(step), note(step))
        checkpoints.close()
    renamed = (tmp_path / "a %41 é\n").rename(tmp_path / "a[1]*? %41 é\n")
    assert steps(renamed) == [4]
    assert_holds(renamed, 4)
    assert unusable_characters(renamed / "run") == "[*?" and unusable_characters("a]\\b") == "\\"


@pytest.mark.skipif(os.name == "nt", reason="there it is a separator")
def test_a_run_below_a_backslash_is_said_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint can be read below .*a\\b, because of the \\ in its name"):
        Checkpoints(tmp_path / "a\\b")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors by /proc")
def test_many_checkpoints_leave_no_descriptor_and_no_thread(tmp_path):
    checkpoints, counts = Checkpoints(tmp_path, writes=True), []
    for step in range(12):
        checkpoints.save(step, state(step), note(step))
        checkpoints.wait()
        counts.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
    checkpoints.close()
    assert counts[-1][0] <= counts[2][0] and counts[-1][1] <= counts[2][1] + 2


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@pytest.mark.parametrize("at", ["save", "wait"])
def test_a_disk_that_takes_no_more_is_said_and_what_was_there_is_kept(write, caplog, at):
    import resource

    folder = write({1: None})
    checkpoints = Checkpoints(folder, writes=True)
    large = {"x": jax.random.normal(jax.random.key(0), (1 << 18,))}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, before[1]))
    try:
        checkpoints.save(2, large, note(2))
        with pytest.raises(OSError) as failed:
            checkpoints.wait() if at == "wait" else checkpoints.save(3, large, note(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (failed.value.errno, failed.value.filename) == (errno.EFBIG, str(folder)) and not caplog.records
    with contextlib.suppress(OSError):
        checkpoints.close()
    assert os.listdir(folder) == ["1"]
    assert_holds(folder, 1)


def test_a_checkpoint_without_a_note_is_not_ours(tmp_path):
    checkpoints = Checkpoints(tmp_path, writes=True)
    checkpoints.save(1, state(1), None)
    checkpoints.wait()
    with pytest.raises(ValueError, match="step 1 carries no note: it was not written by mu"):
        checkpoints.note(1)
    checkpoints.close()


@pytest.mark.parametrize("with_ema", [False, True])
def test_inference_reads_the_bits_that_were_saved_and_no_optimizer_slots(tmp_path, with_ema):
    """Of arrays on several devices, too; without Orbax, which wrote them."""
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data", "model"))
    table = jax.device_put(np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32), place)
    params = {"model": {"w": jnp.arange(3.0), "half": jnp.full((2, 2), 1 / 3, jnp.bfloat16)}, "tables": {}}
    saved = {
        "params": params,
        "stats": {},
        "buffers": {"zeros": jnp.zeros((2, 3)), "ids": jnp.arange(4, dtype=jnp.int32)},
        "opt": [{"count": jnp.int32(7)}, params],
        "tables": {"items": {"rows": table, "squares": jnp.ones(8)}},
        "step": jnp.int32(2),
    }
    if with_ema:
        saved["ema"] = jax.tree.map(lambda x: x * 2, params)
    checkpoints = Checkpoints(tmp_path, writes=True)
    checkpoints.save(2, saved, note(2))
    checkpoints.close()
    device = jax.devices()[3]
    reader = SavedCheckpoints(tmp_path)
    model = reader.load_model(2, device)
    assert reader.steps() == [2] and reader.note(2) == note(2)
    expected = {
        "params": saved["ema" if with_ema else "params"],
        "stats": {},
        "buffers": saved["buffers"],
        "tables": {"items": {"rows": table}},
    }
    assert jax.tree.structure(model) == jax.tree.structure(expected)
    for read, wrote in zip(jax.tree.leaves(model), jax.tree.leaves(expected), strict=True):
        assert read.dtype == wrote.dtype and read.devices() == {device}
        np.testing.assert_array_equal(np.asarray(read), np.asarray(wrote))
