"""Clips that weights have learnt from: by their content, and by what belongs together."""

import dataclasses

import numpy as np

from mu.run.learnt import known_clips
from tests.helpers.audio_clips import make_clips


def test_clips_are_known_by_content_and_by_group():
    clips = make_clips(12)  # of four speakers, three clips each
    train, test = clips.take(np.arange(2)), clips.take(np.arange(1, 12))
    assert known_clips(test, train, frozenset()).tolist() == [True] + [False] * 10
    before = frozenset({clips.table["content_hash"][5]})
    assert np.flatnonzero(known_clips(test, train, before)).tolist() == [0, 4]
    grouped = dataclasses.replace(test, card={"group": "speaker"})
    assert known_clips(grouped, train, frozenset()).tolist() == [True, True] + [False] * 9  # clips 1 and 2
    elsewhere = dataclasses.replace(train, table=train.table.drop("speaker"))
    assert known_clips(grouped, elsewhere, frozenset()).tolist() == [True] + [False] * 10
