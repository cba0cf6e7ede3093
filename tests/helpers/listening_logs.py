"""Small logs with sound: tones whose pitch is what the track is."""

import numpy as np

from mu.data.listening.listening import DAY_MS, Listening

RATE_HZ = 8000
START_MS = 1_700_000_000_000


class Tones:
    """Track v is a tone of 200 + 40 v Hz and 0.5 s; the tracks in `silent` have no audio."""

    sample_rate_hz = RATE_HZ

    def __init__(self, n_tracks, silent=()):
        self.lengths = np.full(n_tracks, RATE_HZ // 2, np.int64)
        self.lengths[list(silent)] = 0

    def waveform(self, track, start, length):
        """float32 [n]."""
        end = min(start + length, int(self.lengths[track]))
        moments = np.arange(start, end) / RATE_HZ
        return (0.3 * np.sin(2 * np.pi * (200 + 40 * track) * moments)).astype(np.float32)

    def hash(self):
        """Of the lengths: they are all that differs."""
        return str(self.lengths.tolist())


def make_listening(n_users=12, n_tracks=20, longest=15, seed=0, sound=True, silent=(3,), hash_size=64):
    """Listeners who go on from track to track, a play a day; tracks 0 to 14 were always out, others come out later.

    Words of a track: its artist (track // 4) and one that all share; tags: high or low. `sound` may be another sound
    than `Tones`, or False for none.
    """
    random = np.random.default_rng(seed)
    lengths = random.integers(2, longest + 1, n_users)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    start = np.repeat(random.integers(0, 15, n_users), lengths)
    place = np.arange(indptr[-1]) - np.repeat(indptr[:-1], lengths)
    released = np.full(n_tracks, -1, np.int64)
    released[15:] = START_MS + np.arange(n_tracks - 15) * DAY_MS
    tags = np.stack([np.arange(n_tracks) >= 10, np.arange(n_tracks) < 10], axis=1).astype(np.float32)
    return Listening(
        indptr=indptr,
        items=((start + place) % 15).astype(np.int32),
        times=START_MS + place * DAY_MS,
        weights=np.ones(indptr[-1], np.float32),
        n_items=n_tracks,
        outcomes=random.integers(0, 3, indptr[-1]).astype(np.uint8),
        columns={"context": random.integers(0, 2, indptr[-1]).astype(np.uint8)},
        card={"time_unit": "ms", "event_columns": {"context": ["home", "work"]}},
        sound=Tones(n_tracks, silent) if sound is True else sound or None,
        item_features=np.stack([1 + np.arange(n_tracks) // 4, np.full(n_tracks, 50)], axis=1).astype(np.int32),
        user_features=random.integers(0, hash_size, (n_users, 2)).astype(np.int32),
        hash_size=hash_size,
        tags=tags,
        tag_names=("high", "low"),
        released_ms=released,
    )
