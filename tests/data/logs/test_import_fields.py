"""Fields of delimited text: the fast split gives what the split record by record gives, or refuses."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.data.logs.importing import delimited
from mu.data.logs.importing.fields import Dialect, Lines, split_carefully, split_plain
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from tests.helpers.log_files import files_of, write_csv

fields = st.text(st.sampled_from('a0 1,"é\n-\t'), max_size=5) | st.integers(-30, 30).map(str)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=8), st.integers(1, 40), st.booleans())
def test_plain_and_careful_splitting_agree(tmp_path_factory, rows, block_bytes, skip):
    """The same text, in blocks of any size: split by the kernel where it can be, and by Python everywhere."""
    folder = tmp_path_factory.mktemp("cut")
    source = write_csv(folder / "log.csv", rows, ["user", "track", "weight"])
    options = LogImportOptions(on_error="skip" if skip else "stop")
    results = []
    plain = delimited.split_plain
    with pytest.MonkeyPatch.context() as patch:
        for size, split in ((1 << 20, lambda *_: None), (block_bytes, plain), (1 << 20, plain)):
            patch.setattr(delimited, "BLOCK_BYTES", size)
            patch.setattr(delimited, "split_plain", split)
            try:
                import_log([source], folder / "out", options, overwrite=True)
                results.append(files_of(folder / "out"))
            except ValueError as error:
                results.append(str(error))
    assert results[0] == results[1] == results[2]


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from('a",\n\ré'), max_size=24), st.booleans())
def test_the_plain_split_of_any_text_is_the_careful_one(text, quotes):
    """Whatever the text: the plain split refuses it, or gives the fields and lines of the split record by record."""
    block, dialect, names = (text + "\n").encode(), Dialect(",", quotes), ["x", "y"]
    plain = split_plain(block, names, ["y", "x"], dialect, None)
    lines = Lines(block, io.BytesIO(), 0, "utf-8")
    frame, numbers, bad = split_carefully(lines, names, ["y", "x"], dialect, "log.csv")
    assert lines.number == block.count(b"\n") or bad
    if plain is not None:
        assert not bad and plain[0].rows() == frame.rows() and plain[1].tolist() == numbers.tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quoted_blocks_are_split_fast(end):
    text = end.join(['a,"b"', '"c,""d""",é', '"two\nlines",', '"",z', ""])
    plain = split_plain(text.encode(), ["x", "y"], ["x", "y"], Dialect(",", quotes=True), None)
    assert plain is not None and plain[1].tolist() == [0, 1, 2, 4]
    assert plain[0].rows() == [("a", "b"), ('c,"d"', "é"), ("two\nlines", ""), ("", "z")]


def test_the_fast_path_gives_the_bytes_of_the_careful_one(tmp_path, monkeypatch):
    generator = np.random.default_rng(3)
    rows = generator.integers(0, [300, 900, 10**9], (20_000, 3)).tolist()
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "time"])
    import_log([source], tmp_path / "fast")
    monkeypatch.setattr(delimited, "split_plain", lambda *_: None)
    import_log([source], tmp_path / "careful")
    assert files_of(tmp_path / "fast") == files_of(tmp_path / "careful")
