"""Pieces of recordings: read ahead within bounds, and a fault in one is the clip's."""

import numpy as np

from mu.data.faults import Fault
from mu.embedding import encoder as encoders
from mu.embedding import pieces
from mu.inference.pooling import Tiles, clip_vectors


def test_long_recordings_are_read_piece_by_piece(original, monkeypatch):
    clips = pieces.open_library(original, 8000)
    (_, one), *_ = pieces.pieces(clips, [3], 1000, threads=2)
    monkeypatch.setattr(pieces, "PIECE_S", 0.6)
    several = [piece for _, piece in pieces.pieces(clips, [3], 1000, threads=2)]
    assert len(several) == 5 and {piece.n_tiles for piece in several} == {19}  # 2.26 s: the last tile reaches back
    np.testing.assert_array_equal(np.concatenate([piece.audio for piece in several]), one.audio)
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in several]), one.samples)


def test_a_fault_in_a_later_piece_is_the_clips_fault(run, original, monkeypatch):
    encoder, _ = encoders.of_run(run)
    clips = pieces.open_library(original, 4000)
    found = [*pieces.pieces(clips, [1, 3, 0], 2000, threads=1)]
    (_, b), (_, d), (_, a) = found
    halves = [Tiles(5, d.audio[:2], d.samples[:2]), Fault("undecodable", "torn"), d]
    told = dict(clip_vectors(encoder.vectors, [(1, b), *((3, half) for half in halves), (0, a)]))
    plain = dict(clip_vectors(encoder.vectors, found))
    assert told[3] == ("undecodable", "torn") and set(told) == {0, 1, 3}
    for row in (0, 1):
        np.testing.assert_array_equal(told[row], plain[row])


def test_what_waits_for_the_encoder_is_bounded_by_bytes(original, monkeypatch):
    """Three and a half recordings may wait: with the one that is about to be given three have been begun."""
    clips, begun = pieces.open_library(original, 4000), []

    def hash_file(path):
        begun.append(path)
        return real(path)

    real = pieces.hash_file
    monkeypatch.setattr(pieces, "hash_file", hash_file)
    monkeypatch.setattr(pieces, "WAITING_BYTES", 3.5 * 2000 * 4)
    for threads in (8, 1):
        begun.clear()
        for done, _ in enumerate(pieces.pieces(clips, [0] * 20, 2000, threads)):  # of one tile each
            assert len(begun) <= done + 3
        assert len(begun) == 20
    monkeypatch.setattr(pieces, "WAITING_BYTES", 1)
    assert [row for row, _ in pieces.pieces(clips, range(5), 2000, 4)] == [*range(5)]
