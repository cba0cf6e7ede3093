"""PyTorch's checkpoints are read exactly, and nothing that their pickle names is run."""

import io
import os
import zipfile

import numpy as np
import pytest

from mu.pretrained.torch_checkpoint import Inert, read_checkpoint
from tests.helpers.musicnn_package import flipped
from tests.pretrained.checkpoint_files import Tensor, checkpoint_bytes


def test_tensors_and_settings_are_read():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    made = read_checkpoint(
        checkpoint_bytes({"a": values, "step": np.int64(7), "options": {"names": ["x"], "rate": 0.5, "none": None}}),
        "f",
    )
    np.testing.assert_array_equal(made["a"], values)
    assert made["a"].dtype == np.float32 and made["step"] == 7 and made["step"].dtype == np.int64
    assert made["options"] == {"names": ["x"], "rate": 0.5, "none": None}


def test_a_view_is_read_by_its_offset_and_strides():
    values = np.arange(12, dtype=np.float32)
    made = read_checkpoint(checkpoint_bytes({"a": Tensor(values, 1, (3, 2), (1, 5))}), "f")
    np.testing.assert_array_equal(made["a"], [[1, 6], [2, 7], [3, 8]])


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_call_of_the_pickle_is_kept_and_not_made(tmp_path):
    path = str(tmp_path / "made by the pickle")
    made = read_checkpoint(checkpoint_bytes({"a": np.ones(2, np.float32), "b": Harmful(path)}), "f")
    assert not os.path.exists(path)
    assert isinstance(made["b"], Inert) and made["b"].name == f"{os.name}.mkdir" and made["b"].arguments == (path,)
    assert made["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 100, "model.pth is cut off or damaged: download it again"),
        (checkpoint_bytes({"a": np.ones(100)})[:-30], "model.pth is cut off or damaged: download it again"),
        (checkpoint_bytes({"a": Tensor(np.ones(4, np.float32), 1, (4,), (1,))}), "does not lie in its storage"),
        (checkpoint_bytes({"a": Tensor(np.ones(4, np.float32), 0, (9999,), (0,))}), "does not lie in its storage"),
        (checkpoint_bytes({"a": Tensor(np.ones(4, np.float32), 3, (2,), (-1,))}), r"the strides \(-1,\)"),
        (checkpoint_bytes({}, byteorder=b"big"), "big-endian"),
        (checkpoint_bytes({}, root="a").replace(b"data.pkl", b"data.abc"), "0 files data.pkl"),
    ],
)
def test_damaged_files_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_checkpoint(content, "model.pth")


@pytest.mark.parametrize("member", ["archive/data.pkl", "archive/data/0"])
def test_a_changed_byte_is_found(member):
    stored = checkpoint_bytes({"a": np.arange(1000, dtype=np.float32)})
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(stored)) as whole, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    for content in (stored, packed.getvalue()):
        with pytest.raises(ValueError, match=r"model\.pth is cut off or damaged: download it again"):
            read_checkpoint(flipped(content, member), "model.pth")
