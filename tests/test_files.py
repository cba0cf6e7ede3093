"""Files and folders that appear whole or not at all, and JSON that vouches for itself."""

import errno
import os

import pytest

from mu.files import PARTIAL, naming, read_json, replacing, replacing_folder, write_json

DEAD = 999_999_999  # no process has this number: one that was killed


def contents(folder):
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_folder_is_replaced_whole(tmp_path):
    for content in ({"a": "1", "b": "2"}, {"b": "3"}):
        with replacing_folder(tmp_path / "out") as folder:
            for name, text in content.items():
                (folder / name).write_text(text, encoding="utf-8")
        assert contents(tmp_path / "out") == content
    assert os.listdir(tmp_path) == ["out"]


def test_after_an_error_the_old_folder_is_there(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("1", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("2", encoding="utf-8")
        raise ZeroDivisionError
    assert contents(tmp_path / "out") == {"a": "1"} and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("is_there", [True, False], ids=["before the swap", "in the middle of it"])
def test_what_a_killed_process_left_is_cleared(tmp_path, is_there):
    """A folder that was moved away and not replaced is brought back."""
    old = tmp_path / ("out" if is_there else f".out{PARTIAL}{DEAD}-old")
    for folder in (old, tmp_path / f".out{PARTIAL}{DEAD}"):
        folder.mkdir()
    (old / "a").write_text("1", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "out"):
        raise ZeroDivisionError
    assert contents(tmp_path / "out") == {"a": "1"} and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("write", [replacing, replacing_folder])
def test_an_error_of_the_disk_names_what_was_being_written(tmp_path, write):
    with pytest.raises(OSError) as failed, write(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert failed.value.filename == str(tmp_path / "out") and os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "number"),
    [("No space left on device (os error 28)", errno.ENOSPC), ("7800 requested and 6656 written", errno.ENOSPC)],
    ids=["polars", "NumPy"],
)
def test_errors_of_libraries_get_number_and_name(words, number):
    with pytest.raises(OSError) as failed, naming("here"):
        raise OSError(words)
    assert (failed.value.errno, failed.value.filename) == (number, "here")
    with pytest.raises(OSError, match="no log at x") as failed, naming("here"):
        raise OSError("no log at x")
    assert failed.value.filename is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_the_name_of_a_folder_is_no_pattern(tmp_path):
    """Leftovers of the folder itself are cleared, those of one whose name it would match as a pattern are not."""
    (tmp_path / f".a[1]*{PARTIAL}{DEAD}").mkdir()
    (tmp_path / f".a1b{PARTIAL}{DEAD}-old").mkdir()
    with replacing_folder(tmp_path / "a[1]*"):
        pass
    assert sorted(os.listdir(tmp_path)) == [f".a1b{PARTIAL}{DEAD}-old", "a[1]*"]


def test_json_vouches_for_itself(tmp_path):
    value = {"b": [1, 2.5e-7], "é": {"3": None}, "t": True, "text": "\u202e<&>"}
    write_json(tmp_path / "card.json", value | {"b": (1, 2.5e-7), "é": {3: float("nan")}})
    assert read_json(tmp_path / "card.json") == value and list(read_json(tmp_path / "card.json")) == list(value)
    lines = (tmp_path / "card.json").read_text().splitlines(keepends=True)
    (tmp_path / "card.json").write_text("".join(lines).replace("true", "false"))
    with pytest.raises(ValueError, match=r"card.json is not what was written: .* delete the line of the sha256"):
        read_json(tmp_path / "card.json")
    # The advice works: that line is the first of the entries.
    (tmp_path / "card.json").write_text(
        "".join(line for line in lines if "sha256" not in line).replace("true", "false")
    )
    assert read_json(tmp_path / "card.json") == value | {"t": False}
    # The file of another name is another's.
    (tmp_path / "other.json").write_text("".join(lines))
    with pytest.raises(ValueError, match=r"other.json is not what was written"):
        read_json(tmp_path / "other.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{", b"[" * 100_000, b'{"a": 1}}', b"\x00" * 40])
def test_what_is_no_json_is_named(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"card.json is damaged: it holds no JSON \(.*\); bring it back"):
        read_json(tmp_path / "card.json")
