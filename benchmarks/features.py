"""How fast the audio features are: each jitted, beside librosa and other libraries, as times real time and ratios.

    python benchmarks/features.py [--only=log-mel] [--clips=32] [--rounds=5] [--json=FILE]

White noise, clips of 10 s at 16 kHz, float32, a batch of them a call; a 512-point window and transform with hop 160
unless the row says otherwise ("2048": librosa's default, 2048 with hop 512). Descriptors, PCEN, decibels, the key and
what follows from an onset strength start from spectra, chroma or envelopes already there, in either library. librosa,
which has no key, is given the same correlations in NumPy (`keys_by_hand`). It gets the whole batch where its
function takes one, else the clips one by one. Everybody may use every CPU.

"of log-mel" are its steps, each alone, its whole input and output through memory.

    nnAudio      features.MelSpectrogram or STFT: the transform as a convolution, PyTorch on CPU
    torchaudio   transforms.MelSpectrogram + AmplitudeToDB, PyTorch on CPU
    torch.stft   the same with torch.stft and a matrix product, by hand

mu is compiled ahead (the column "compile", a cold compile of that one program) and warmed up like the others. Rounds go
through the contestants of a row in turn, every other round backwards; a time is the median of the rounds, a ratio the
median of each round's ratio: above 1 mu is faster. Peers that are missing are left out by name (`pip install
'.[bench]'`).
"""

import argparse
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernels" / "benchmarks"))
from _report import alternating, machine, ratio, table

from mu.audio import beats, chroma, cqt, descriptors, hpss, key, mel, onsets, pitch, rhythm, spectral, vocoder

RATE_HZ, CLIP_S = 16_000, 10
SHORT = {"n_fft": 512, "hop_samples": 160}
LIBROSA_SHORT = {"n_fft": 512, "hop_length": 160}
PACKAGES = ("jax", "jaxlib", "librosa", "numpy", "scipy", "soxr", "torch", "torchaudio", "nnAudio")

WINDOW = spectral.window("hann", 512).astype(np.float32)
FILTERS = mel.mel_filters(RATE_HZ, n_fft=512)

Run = Callable[[Any], Any]


class Row(NamedTuple):
    """One feature.

    Attributes:
      name: as printed.
      ours: of what `given` names, jitted here.
      librosa: the same of it in NumPy, its last two axes exchanged (but a waveform's).
      given: what both start from, see `GIVEN`.
      share: of the clips, for what takes librosa seconds.
      peers: library -> the same.
    """

    name: str
    ours: Run
    librosa: Run
    given: str = "waveforms"
    share: float = 1.0
    peers: dict[str, Run] = {}  # noqa: RUF012  # a NamedTuple's default


# What features start from, of waveforms [B, N].
GIVEN: dict[str, Run] = {
    "waveforms": lambda x: x,
    "spectra": lambda x: spectral.stft(x, **SHORT),
    "frames": lambda x: spectral.frame(spectral.pad_centered(x, 512), 512, 160),
    "magnitudes": lambda x: spectral.magnitude(spectral.stft(x, **SHORT)),
    "magnitudes, 2048": lambda x: spectral.magnitude(spectral.stft(x)),
    "power": lambda x: spectral.power(spectral.stft(x, **SHORT)),
    "chroma": lambda x: chroma.chroma_stft(x, RATE_HZ, tuning=0.0),
    "mel": lambda x: mel.mel_spectrogram(x, RATE_HZ, power=1.0, **SHORT) * 2.0**31,
    "onset strength": lambda x: rhythm.onset_strength(x, RATE_HZ),
}


def rows(modules: dict[str, Any]) -> list[Row]:
    """All features, one line each; `modules` are the libraries that could be imported."""
    librosa, of = modules["librosa"], modules["librosa"].feature
    sr, d, mags = {"sr": RATE_HZ}, descriptors, "magnitudes"

    def log_mel(x: Any, **options: Any) -> Any:
        return librosa.power_to_db(of.melspectrogram(y=x, **sr, **options), top_db=None)

    def pad(x: np.ndarray) -> np.ndarray:
        return np.pad(x, [(0, 0), (256, 256)])

    def each(function: Run) -> Run:
        """Clip by clip, where librosa takes no batch."""
        return lambda x: [function(one) for one in x]

    return [
        Row(
            "log-mel 80",
            lambda x: mel.log_mel(x, RATE_HZ, n_mels=80, **SHORT),
            lambda x: log_mel(x, n_mels=80, **LIBROSA_SHORT),
            peers=torch_log_mels(modules, 80),
        ),
        Row(
            "log-mel 128",
            lambda x: mel.log_mel(x, RATE_HZ, **SHORT),
            lambda x: log_mel(x, **LIBROSA_SHORT),
            peers=torch_log_mels(modules, 128),
        ),
        Row(
            "of log-mel: frames times window",
            lambda x: spectral.frame(spectral.pad_centered(x, 512), 512, 160) * WINDOW,
            lambda x: librosa.util.frame(pad(x), frame_length=512, hop_length=160) * WINDOW[:, None],
        ),
        Row("of log-mel: transform of frames", jnp.fft.rfft, lambda f: np.fft.rfft(f, axis=-2), "frames"),
        Row(
            "of log-mel: mel product",
            lambda p: jnp.matmul(p, FILTERS, precision=jax.lax.Precision.HIGHEST),
            lambda p: FILTERS.T @ p,
            "power",
        ),
        Row("log-mel 128, 2048", lambda x: mel.log_mel(x, RATE_HZ), log_mel),
        Row(
            "mel spectrogram 128",
            lambda x: mel.mel_spectrogram(x, RATE_HZ, **SHORT),
            lambda x: of.melspectrogram(y=x, **sr, **LIBROSA_SHORT),
        ),
        Row("power to decibels", spectral.power_to_db, each(librosa.power_to_db), "power"),
        Row(
            "stft",
            lambda x: spectral.stft(x, **SHORT),
            lambda x: librosa.stft(x, **LIBROSA_SHORT),
            peers=torch_stfts(modules),
        ),
        Row(
            "istft", lambda s: spectral.istft(s, hop_samples=160), lambda s: librosa.istft(s, hop_length=160), "spectra"
        ),
        Row("mfcc 20", lambda x: mel.mfcc(x, RATE_HZ, **SHORT), lambda x: of.mfcc(y=x, **sr, **LIBROSA_SHORT)),
        Row(
            "pcen",
            lambda e: mel.pcen(e, RATE_HZ, hop_samples=160),
            lambda e: librosa.pcen(e, **sr, hop_length=160),
            "mel",
        ),
        Row("centroid", lambda s: d.centroid(s, RATE_HZ), lambda s: of.spectral_centroid(S=s, **sr), mags),
        Row("bandwidth", lambda s: d.bandwidth(s, RATE_HZ), lambda s: of.spectral_bandwidth(S=s, **sr), mags),
        Row("rolloff", lambda s: d.rolloff(s, RATE_HZ), lambda s: of.spectral_rolloff(S=s, **sr), mags),
        Row("flatness", d.flatness, lambda s: of.spectral_flatness(S=s), mags),
        Row(
            "contrast",
            lambda s: d.contrast(s, RATE_HZ, n_bands=5),
            lambda s: of.spectral_contrast(S=s, n_bands=5, **sr),
            mags,
        ),
        Row("zero crossings, 2048", d.zero_crossing_rate, of.zero_crossing_rate),
        Row("rms, 2048", d.rms, lambda x: of.rms(y=x)),
        Row("cqt 84, hop 512", lambda x: cqt.cqt(x, RATE_HZ), lambda x: librosa.cqt(x, **sr), share=0.25),
        Row("vqt 84, hop 512", lambda x: cqt.vqt(x, RATE_HZ), lambda x: librosa.vqt(x, **sr), share=0.25),
        Row(
            "chroma of stft, 2048",
            lambda x: chroma.chroma_stft(x, RATE_HZ, tuning=0.0),
            lambda x: of.chroma_stft(y=x, tuning=0.0, **sr),
            share=0.25,
        ),
        Row(
            "chroma of cqt",
            lambda x: chroma.chroma_cqt(x, RATE_HZ, tuning=0.0),
            lambda x: of.chroma_cqt(y=x, tuning=0.0, **sr),
            share=0.25,
        ),
        Row("key", key.key, keys_by_hand, "chroma", share=0.25),
        Row(
            "tuning, 2048",
            lambda x: pitch.estimate_tuning(x, RATE_HZ),
            each(lambda x: librosa.estimate_tuning(y=x, **sr)),
            share=0.25,
        ),
        Row(
            "harmonic-percussive, 2048",
            hpss.harmonic_percussive,
            librosa.decompose.hpss,
            "magnitudes, 2048",
            share=0.125,
        ),
        Row(
            "harmonic-percussive waveforms, 2048",
            hpss.harmonic_percussive_waveforms,
            librosa.effects.hpss,
            share=0.125,
        ),
        Row(
            "onset strength, 2048",
            lambda x: rhythm.onset_strength(x, RATE_HZ),
            lambda x: librosa.onset.onset_strength(y=x, **sr),
        ),
        Row(
            "tempogram", rhythm.tempogram, lambda o: of.tempogram(onset_envelope=o, **sr), "onset strength", share=0.25
        ),
        Row(
            "tempo",
            lambda o: rhythm.tempo(o, RATE_HZ),
            lambda o: of.tempo(onset_envelope=o, **sr),
            "onset strength",
            share=0.25,
        ),
        Row(
            "beats",
            lambda o: beats.track(o, RATE_HZ),
            each(lambda o: librosa.beat.beat_track(onset_envelope=o, **sr)),
            "onset strength",
            share=0.25,
        ),
        Row(
            "onset detection",
            lambda o: onsets.detect(o, RATE_HZ),
            each(lambda o: librosa.onset.onset_detect(onset_envelope=o, **sr)),
            "onset strength",
        ),
        Row(
            "time stretch, 2048",
            lambda x: vocoder.time_stretch(x, 1.1),
            lambda x: librosa.effects.time_stretch(x, rate=1.1),
            share=0.125,
        ),
        Row(
            "pitch shift, 2048",
            lambda x: vocoder.pitch_shift(x, 2.0),
            lambda x: librosa.effects.pitch_shift(x, n_steps=2.0, **sr),
            share=0.125,
        ),
    ]


def keys_by_hand(chroma: np.ndarray) -> np.ndarray:
    """The keys of chroma [B, 12, F], whose profiles' correlations with the mean are largest: int [B]."""
    profiles = key.PROFILES["krumhansl-kessler"]
    rotated = np.stack([np.roll(degrees, tonic) for degrees in profiles for tonic in range(12)])
    mean = chroma.mean(-1)
    return np.corrcoef(mean, rotated)[: len(mean), len(mean) :].argmax(-1)


def torch_log_mels(peers: dict[str, Any], n_mels: int) -> dict[str, Run]:
    """Log-mels of the libraries on PyTorch that are there."""
    contestants: dict[str, Run] = {}
    torch = peers.get("torch")
    if torch is None:
        return contestants
    options = {"n_fft": 512, "hop_length": 160, "n_mels": n_mels}
    weights = torch.from_numpy(mel.mel_filters(RATE_HZ, n_fft=512, n_mels=n_mels).copy())
    window = torch.hann_window(512)

    def by_hand(x: Any) -> Any:
        spectrum = torch.stft(x, 512, 160, window=window, pad_mode="constant", return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        return 10 * torch.log10(torch.clamp(power.transpose(-1, -2) @ weights, min=1e-10))

    contestants["torch.stft"] = by_hand
    if "nnAudio" in peers:
        layer = peers["nnAudio"].MelSpectrogram(sr=RATE_HZ, pad_mode="constant", verbose=False, **options)
        contestants["nnAudio"] = lambda x: 10 * torch.log10(torch.clamp(layer(x), min=1e-10))
    if "torchaudio" in peers:
        transforms = peers["torchaudio"].transforms
        mels = transforms.MelSpectrogram(RATE_HZ, norm="slaney", mel_scale="slaney", pad_mode="constant", **options)
        to_db = transforms.AmplitudeToDB()
        contestants["torchaudio"] = lambda x: to_db(mels(x))
    return {name: without_gradient(torch, run) for name, run in contestants.items()}


def torch_stfts(peers: dict[str, Any]) -> dict[str, Run]:
    """STFTs of the libraries on PyTorch that are there."""
    torch = peers.get("torch")
    if torch is None:
        return {}
    window = torch.hann_window(512)
    contestants: dict[str, Run] = {
        "torch.stft": lambda x: torch.stft(x, 512, 160, window=window, pad_mode="constant", return_complex=True)
    }
    if "nnAudio" in peers:
        contestants["nnAudio"] = peers["nnAudio"].STFT(n_fft=512, hop_length=160, pad_mode="constant", verbose=False)
    return {name: without_gradient(torch, run) for name, run in contestants.items()}


def without_gradient(torch: Any, run: Run) -> Run:
    def inference(x: Any) -> Any:
        with torch.inference_mode():
            return run(torch.from_numpy(x))

    return inference


def libraries() -> dict[str, Any]:
    """What can be imported; says what cannot, and why. Without librosa there is nothing to compare with."""
    imported = {}
    modules = {"librosa": "librosa", "torch": "torch", "nnAudio": "nnAudio.features", "torchaudio": "torchaudio"}
    for name, module in modules.items():
        try:
            imported[name] = importlib.import_module(module)
        except Exception as error:  # torchaudio raises RuntimeError where its build does not fit torch's
            print(f"{name} is left out: {type(error).__name__}: {str(error).splitlines()[0]}")
    if "librosa" not in imported:
        raise SystemExit("librosa is needed: pip install '.[bench]'")
    return imported


def measure(row: Row, x: np.ndarray, rounds: int) -> dict[str, Any]:
    """Times of all contestants of a row, in seconds."""
    x = x[: max(1, round(row.share * len(x)))]
    inputs = jax.block_until_ready(jax.jit(GIVEN[row.given])(x))
    in_numpy = np.array(inputs)  # PyTorch warns of arrays that cannot be written to
    for_librosa = in_numpy if in_numpy.ndim < 3 else np.ascontiguousarray(np.swapaxes(in_numpy, -1, -2))
    began = time.perf_counter()
    compiled = jax.jit(row.ours).lower(inputs).compile()
    compile_s = time.perf_counter() - began
    contestants: dict[str, Callable[[], Any]] = {
        "mu": lambda: jax.block_until_ready(compiled(inputs)),
        "librosa": lambda: row.librosa(for_librosa),
    }
    for name, run in row.peers.items():
        contestants[name] = lambda run=run: run(in_numpy)
    times: dict[str, dict[int, float]] = {name: {} for name in contestants}
    for run in contestants.values():
        run()
    for number, name in alternating(list(contestants), rounds):
        began = time.perf_counter()
        contestants[name]()
        times[name][number] = time.perf_counter() - began
    audio_s = len(x) * CLIP_S
    return {
        "feature": row.name,
        "clips": len(x),
        "compile_s": compile_s,
        "times_real_time": {name: audio_s / statistics.median(taken.values()) for name, taken in times.items()},
        "ratios": {name: ratio(taken, times["mu"]) for name, taken in times.items() if name != "mu"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    flags = parser.parse_args()

    described = machine(PACKAGES)
    print(*(f"{key}={value}" for key, value in described.items()), sep=", ")
    peers = libraries()
    noise = np.random.default_rng(0).standard_normal((flags.clips, RATE_HZ * CLIP_S)).astype(np.float32)
    x = noise * np.float32(0.1)
    measured = [measure(row, x, flags.rounds) for row in rows(peers) if flags.only in row.name]

    others = list(dict.fromkeys(name for one in measured for name in one["ratios"]))
    header = [
        "feature",
        "clips",
        "mu, x real time",
        "compile",
        *(f"{name}, x" for name in others),
        *(f"mu / {name}" for name in others),
    ]
    lines = []
    for one in measured:
        speeds, ratios = one["times_real_time"], one["ratios"]
        lines.append(
            [
                one["feature"],
                str(one["clips"]),
                f"{speeds['mu']:,.0f}",
                f"{one['compile_s']:.2f} s",
                *(f"{speeds[name]:,.0f}" if name in speeds else "" for name in others),
                *(f"{ratios[name]:.1f}" if name in ratios else "" for name in others),
            ]
        )
    table("Clips of 10 s at 16 kHz", header, lines)
    features = [one["ratios"]["librosa"] for one in measured if not one["feature"].startswith("of log-mel")]
    if features:
        print(f"median of the ratios to librosa of {len(features)} features: {statistics.median(features):.1f}")
    if flags.json:
        flags.json.write_text(json.dumps({"machine": described, "rows": measured}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
