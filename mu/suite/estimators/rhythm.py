"""Tempo, beats and downbeats: trains of beats of several tempi, of which the one that explains most is taken.

Candidates are peaks of the autocorrelation of onset strengths, their doubles, halves and thirds. Each gets its best
train of beats by dynamic programming (Ellis, JNMR 36(1), 2007), and each train its best metre and first beat. A linear
score of what trains have in common with music chooses among them. Its weights were learnt on works of another seed than
those that results are reported of (`python benchmarks/world_music.py --fit`).
"""

import dataclasses

import numpy as np

from mu.suite.estimators.features import Features, semitones

SLOWEST_BPM, FASTEST_BPM = 50.0, 210.0
CANDIDATES = 4
"""Peaks of the autocorrelation."""
RELATED = (1.0, 0.5, 2.0, 1.5, 2 / 3)
TIGHTNESS = 60.0
METRES = (4, 3)


@dataclasses.dataclass(frozen=True, eq=False)
class Rhythm:
    """Beats of a track.

    Attributes:
      tempo_bpm: median of the beats' tempi.
      beats_s: float64 [beats], ascending.
      downbeats_s: float64 [bars], some of them.
      metre: beats a bar.
    """

    tempo_bpm: float
    beats_s: np.ndarray
    downbeats_s: np.ndarray
    metre: int


@dataclasses.dataclass(frozen=True, eq=False)
class Train:
    """A candidate.

    Attributes:
      beats: int64 [beats], frames of the onset strengths.
      metre: beats a bar.
      first: which of the first beats begins a bar.
      evidence: float64 [features], in the order of `WEIGHTS`.
    """

    beats: np.ndarray
    metre: int
    first: int
    evidence: np.ndarray


WEIGHTS = {
    "all_on": -0.0350,
    "low_on": 0.0842,
    "middle_on": 0.0972,
    "high_on": 0.1827,
    "all_half": 0.1177,
    "low_half": -0.1054,
    "middle_half": -0.0049,
    "high_half": 0.0544,
    "all_third": -0.8058,
    "all_quarter": -1.0146,
    "change_on": 0.2470,
    "change_half": -2.6789,
    "bar": 0.2797,
    "middle_of_bar": 0.0706,
    "two_bars": -0.5134,
    "low_alternates": 0.1961,
    "middle_alternates": 0.0711,
    "log2_tempo": 0.6595,
    "log2_tempo_squared": -3.6339,
    "correlation_half": -0.2132,
    "correlation": 3.3195,
    "correlation_two": -2.3516,
    "correlation_four": 0.1200,
    "low_correlation": 0.9591,
    "low_correlation_two": -0.2906,
    "low_correlation_four": 2.4008,
    "three": -0.0771,
}
"""Of the evidence of a train: onsets of each band on beats and halfway, at a third or a quarter; changes of harmony on
beats and halfway; how much downbeats stand out, differ from the middle of the bar, and from every second one; how much
every second beat differs; the tempo in octaves above 110; autocorrelations at multiples of the period; three beats."""
BAR_WEIGHTS = np.array([1.0, 0.5, 0.2, -0.3])
"""Of a downbeat: change of harmony, low onsets, all onsets, middle onsets."""


def rhythm_of(features: Features) -> Rhythm:
    """Tempo, beats and downbeats of a track."""
    trains = trains_of(features)
    weights = np.array(list(WEIGHTS.values()))
    best = max(trains, key=lambda train: float(train.evidence @ weights))
    beats_s = best.beats * features.hop_s
    tempo_bpm = float(60 / np.median(np.diff(beats_s))) if len(beats_s) > 1 else 0.0
    return Rhythm(tempo_bpm, beats_s, beats_s[best.first :: best.metre], best.metre)


def trains_of(features: Features) -> list[Train]:
    """The candidates of a track."""
    onsets = np.maximum(features.onsets, -0.5).astype(np.float64)
    change = _change(features)
    correlation = autocorrelation(onsets, int(60 / SLOWEST_BPM / features.hop_s) * 4 + 4)
    trains = []
    for period in _periods(correlation, features.hop_s):
        beats = beats_of(onsets[:, 0], period)
        if len(beats) < 8:
            continue
        trains.append(_train(beats, onsets, change, correlation, features.hop_s))
    if not trains:  # a sound without onsets
        frames = np.arange(0, len(onsets), round(0.5 / features.hop_s))
        trains = [Train(frames, 4, 0, np.zeros(len(WEIGHTS)))]
    return trains


def _change(features: Features) -> np.ndarray:
    """float64 [F]: how much the chroma of .35 s after a frame differs from that of .35 s before, in deviations."""
    tones = semitones(features)
    chroma = tones[:, 12:72].reshape(len(tones), 5, 12).sum(axis=1)
    reach = round(0.35 / features.cqt_hop_s)
    total = np.cumsum(np.pad(chroma, ((reach + 1, reach), (0, 0)), mode="edge"), axis=0)
    frame = np.arange(len(chroma)) + reach
    before, after = total[frame] - total[frame - reach], total[frame + reach] - total[frame]
    length = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1) + 1e-9
    change = 1 - (before * after).sum(axis=1) / length
    times = np.arange(len(features.onsets)) * features.hop_s / features.cqt_hop_s
    change = np.interp(times, np.arange(len(change)), change)
    return (change - change.mean()) / (change.std() + 1e-9)


def autocorrelation(x: np.ndarray, lags: int) -> np.ndarray:
    """float64 [lags, ...]: of columns less their mean, unbiased, 1 at lag 0; 0 at lags beyond the columns."""
    x = x - x.mean(axis=0)
    size = 1 << (2 * len(x) - 1).bit_length()
    power = np.abs(np.fft.rfft(x, size, axis=0)) ** 2
    out = np.zeros((lags, *x.shape[1:]))
    inside = min(lags, len(x))
    out[:inside] = np.fft.irfft(power, size, axis=0)[:inside] / (len(x) - np.arange(inside))[:, None]
    return out / (out[0] + 1e-9)


def _periods(correlation: np.ndarray, hop_s: float) -> list[float]:
    """Periods in frames: peaks of a comb over the autocorrelation, and what is related to them."""
    bpm = SLOWEST_BPM * 1.01 ** np.arange(int(np.log(FASTEST_BPM / SLOWEST_BPM) / np.log(1.01)))
    periods = 60 / bpm / hop_s
    lags = np.arange(len(correlation))
    total = correlation[:, 0] + 0.5 * correlation[:, 1]
    comb = sum(np.interp(k * periods, lags, total) / k**0.5 for k in (1, 2, 4))
    comb = comb - 0.5 * ((np.log2(bpm / 110)) / 0.9) ** 2
    peaks = [at for at in range(1, len(bpm) - 1) if comb[at] >= comb[at - 1] and comb[at] > comb[at + 1]]
    peaks = sorted(peaks, key=lambda at: -comb[at])[:CANDIDATES]
    chosen: list[float] = []
    for ratio in RELATED:
        for at in peaks:
            period = _refined(total, periods[at] / ratio)
            if not SLOWEST_BPM <= 60 / period / hop_s <= FASTEST_BPM:
                continue
            if all(abs(np.log(period / other)) > 0.025 for other in chosen):
                chosen.append(period)
    return chosen


def _refined(correlation: np.ndarray, period: float) -> float:
    """The period within 3 % at whose multiples the correlation is largest."""
    around = period * np.linspace(0.97, 1.03, 25)
    lags = np.arange(len(correlation))
    scores = sum(np.interp(k * around, lags, correlation) for k in (1, 2, 3, 4))
    return float(around[np.argmax(scores)])


def beats_of(onsets: np.ndarray, period: float) -> np.ndarray:
    """int64 [beats]: the frames b_i that maximise sum o[b_i] - TIGHTNESS sum log((b_i - b_{i-1}) / period)^2.

    Args:
      onsets: float64 [F].
      period: in frames.
    """
    width = max(period / 32, 1.0)
    reach = int(np.ceil(3 * width))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    strength = np.convolve(onsets, bell / bell.sum() ** 0.5, mode="same")
    gaps = np.arange(max(int(period / 2), 1), int(2 * period) + 1)
    cost = TIGHTNESS * np.log(gaps / period) ** 2
    frames, last = len(strength), gaps[-1]
    score = np.full(frames + last, -1e9)
    before = np.full(frames, -1)
    for frame in range(frames):
        past = score[frame + last - gaps] - cost
        best = int(np.argmax(past))
        gain = past[best]
        if gain > 0:
            before[frame] = frame - gaps[best]
        score[frame + last] = strength[frame] + max(gain, 0.0)
    tail = score[last:]
    frame = int(frames - period + np.argmax(tail[int(frames - period) :])) if frames > period else int(tail.argmax())
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = before[frame]
    return np.array(beats[::-1])


def _train(beats: np.ndarray, onsets: np.ndarray, change: np.ndarray, correlation: np.ndarray, hop_s: float) -> Train:
    frames = len(onsets)
    peaks = _largest_near(onsets, 3)
    gaps = np.diff(beats)
    period = float(np.median(gaps))
    half = np.minimum((beats[:-1] + 0.5 * gaps), frames - 1)
    swung = np.minimum((beats[:-1] + 0.63 * gaps), frames - 1)
    on = peaks[beats].mean(axis=0)
    between = np.maximum(peaks[half.astype(int)].mean(axis=0), peaks[swung.astype(int)].mean(axis=0))
    thirds = peaks[np.minimum(beats[:-1] + gaps / 3, frames - 1).astype(int)].mean(axis=0)
    metre, first, bar = _bar(beats, peaks, change)
    parity = np.arange(len(beats)) % 2
    alternates = np.abs(peaks[beats[parity == 0]].mean(axis=0) - peaks[beats[parity == 1]].mean(axis=0))
    tempo = float(np.log2(60 / (period * hop_s) / 110))
    quarters = [peaks[np.minimum(beats[:-1] + part * gaps, frames - 1).astype(int), 0].mean() for part in (0.25, 0.75)]
    place = (np.arange(len(beats)) - first) % (2 * metre)
    of_place = np.array(
        [change[beats[place == one]].mean() if (place == one).any() else 0.0 for one in range(2 * metre)]
    )
    bars = of_place.reshape(2, metre)
    lags = np.arange(len(correlation))
    lag = np.interp([period / 2, period, 2 * period, 4 * period], lags, correlation[:, 0])
    low = np.interp([period, 2 * period, 4 * period], lags, correlation[:, 1])
    bands = ("all", "low", "middle", "high")
    evidence = {f"{band}_on": one for band, one in zip(bands, on, strict=True)}
    evidence |= {f"{band}_half": one for band, one in zip(bands, between, strict=True)}
    evidence |= {"all_third": thirds[0], "all_quarter": max(quarters)}
    evidence |= {"change_on": change[beats].mean(), "change_half": change[half.astype(int)].mean(), "bar": bar}
    evidence |= {"middle_of_bar": bars[:, 0].mean() - bars[:, metre // 2].mean()}
    evidence |= {"two_bars": abs(bars[0, 0] - bars[1, 0])}
    evidence |= {"low_alternates": alternates[1], "middle_alternates": alternates[2]}
    evidence |= {"log2_tempo": tempo, "log2_tempo_squared": tempo**2, "three": float(metre == 3)}
    ends = ("_half", "", "_two", "_four")
    evidence |= {f"correlation{end}": one for end, one in zip(ends, lag, strict=True)}
    evidence |= {f"low_correlation{end}": one for end, one in zip(ends[1:], low, strict=True)}
    return Train(beats, metre, first, np.array([evidence[name] for name in WEIGHTS]))


def _largest_near(x: np.ndarray, reach: int) -> np.ndarray:
    """[F, ...]: the largest of frames - reach .. + reach."""
    padded = np.pad(x, ((reach, reach), (0, 0)), mode="edge")
    return np.max([padded[shift : shift + len(x)] for shift in range(2 * reach + 1)], axis=0)


def _bar(beats: np.ndarray, peaks: np.ndarray, change: np.ndarray) -> tuple[int, int, float]:
    """(metre, first downbeat, how much downbeats stand out) of a train."""
    salience = np.stack([change[beats], *peaks[beats][:, [1, 0, 2]].T], axis=1) @ BAR_WEIGHTS
    best = (4, 0, -np.inf)
    for metre in METRES:
        for first in range(metre):
            is_first = np.arange(len(beats)) % metre == first
            contrast = salience[is_first].mean() - salience[~is_first].mean()
            contrast -= 0.25 * (metre == 3)
            if contrast > best[2]:
                best = (metre, first, float(contrast))
    return best
