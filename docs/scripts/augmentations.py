"""Draws the pictures of docs/augmentations.md and measures what each augmentation costs on a CPU.

    python docs/scripts/augmentations.py pictures     # writes docs/augmentations/*.png
    python docs/scripts/augmentations.py costs        # prints the table of docs/augmentations.md

The sound is made here: two seconds of plucked notes over a beat.
"""

import io
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

from mu.audio import augment, augment_filters, augment_spectrogram, augment_time, mel

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

RATE_HZ = 16_000
LOG_MEL = {"n_fft": 512, "hop_samples": 160, "n_mels": 80}
FLOOR_DB, TOP_DB = -70.0, 20.0

NOISE = augment.add_noise
EQUALIZE = partial(augment_filters.equalize, sample_rate_hz=RATE_HZ, gain_db=(-18.0, 18.0))
BAND_LIMIT = partial(augment_filters.band_limit, sample_rate_hz=RATE_HZ)
TELEPHONE = {"low_pass_hz": (3400.0, 3400.0), "high_pass_hz": (300.0, 300.0)}
ROOM = partial(augment_filters.decaying_responses, jax.random.key(5), 1, RATE_HZ, duration_s=1.0)


def at(value: float) -> tuple[float, float]:
    """A range of one value, so that a picture shows what its title says."""
    return (value, value)


# name: (what is drawn, two titles with an augmentation each)
OF_WAVES = {
    "gain": (
        "wave",
        {"-12 dB": partial(augment.gain, gain_db=at(-12.0)), "+4 dB": partial(augment.gain, gain_db=at(4.0))},
    ),
    "polarity": (
        "detail",
        {"turned": partial(augment.polarity, p=1.0), "left as it was": partial(augment.polarity, p=0.0)},
    ),
    "shift": (
        "wave",
        {
            "circular": partial(augment_time.shift, max_samples=RATE_HZ),
            "silence enters": partial(augment_time.shift, max_samples=RATE_HZ, circular=False),
        },
    ),
    "add_noise": (
        "mels",
        {
            "white, 20 dB": partial(NOISE, snr_db=at(20.0)),
            "brown (exponent 2), 0 dB": partial(NOISE, snr_db=at(0.0), exponent=at(2.0)),
        },
    ),
    "equalize": (
        "response",
        {
            "one draw": lambda key, x: EQUALIZE(jax.random.key(3), x),
            "another draw": lambda key, x: EQUALIZE(jax.random.key(11), x),
        },
    ),
    "band_limit": (
        "mels",
        {
            "5.5 kHz": partial(BAND_LIMIT, low_pass_hz=at(5500.0)),
            "telephone, 0.3-3.4 kHz": partial(BAND_LIMIT, **TELEPHONE),
        },
    ),
    "reverb": (
        "mels",
        {
            "T60 0.3 s": lambda key, x: augment_filters.reverb(key, x, ROOM(t60_s=at(0.3), direct_db=at(6.0))),
            "T60 1.5 s": lambda key, x: augment_filters.reverb(key, x, ROOM(t60_s=at(1.5), direct_db=at(-3.0))),
        },
    ),
    "speed": (
        "mels",
        {
            "rate 0.75": partial(augment_time.speed, rate=at(0.75)),
            "rate 1.33": partial(augment_time.speed, rate=at(1.33)),
        },
    ),
    "time_stretch": (
        "mels",
        {
            "rate 0.75": partial(augment_time.time_stretch, rate=at(0.75)),
            "rate 1.33": partial(augment_time.time_stretch, rate=at(1.33)),
        },
    ),
    "pitch_shift": (
        "mels",
        {
            "-5 semitones": partial(augment_time.pitch_shift, semitones=at(-5.0)),
            "+5 semitones": partial(augment_time.pitch_shift, semitones=at(5.0)),
        },
    ),
    "mixup": (
        "mels",
        {
            "the other clip": lambda key, x: x[::-1],
            "mixed": lambda key, x: augment.mixup(jax.random.key(4), x, alpha=8.0)[0],
        },
    ),
}
OF_MELS = {
    "time_masks": {
        "one draw": partial(augment_spectrogram.time_masks, max_frames=30),
        "3 masks, fill=-70": partial(augment_spectrogram.time_masks, count=3, max_frames=30, fill=FLOOR_DB),
    },
    "frequency_masks": {
        "one draw": partial(augment_spectrogram.frequency_masks, max_bins=12),
        "3 masks, fill=-70": partial(augment_spectrogram.frequency_masks, count=3, max_bins=12, fill=FLOOR_DB),
    },
    "frequency_shift": {
        "6.5 bins down": partial(augment_spectrogram.frequency_shift, bins=at(-6.5)),
        "6.5 bins up": partial(augment_spectrogram.frequency_shift, bins=at(6.5)),
    },
    "frequency_warp": {
        "factor 0.8": partial(augment_spectrogram.frequency_warp, factor=at(0.8)),
        "factor 1.25": partial(augment_spectrogram.frequency_warp, factor=at(1.25)),
    },
}
# As one would train with them.
COSTS_OF_WAVES = {
    "gain": augment.gain,
    "polarity": augment.polarity,
    "mixup": augment.mixup,
    "shift": partial(augment_time.shift, max_samples=8000),
    "add_noise": partial(NOISE, exponent=(-1.0, 2.0)),
    "equalize": partial(augment_filters.equalize, sample_rate_hz=RATE_HZ),
    "band_limit": BAND_LIMIT,
    "reverb": augment_filters.reverb,
    "speed": augment_time.speed,
    "speed, zero_crossings=1": partial(augment_time.speed, zero_crossings=1),
    "time_stretch": augment_time.time_stretch,
    "pitch_shift": augment_time.pitch_shift,
}
COSTS_OF_MELS = {
    "time_masks": partial(augment_spectrogram.time_masks, max_frames=60),
    "frequency_masks": partial(augment_spectrogram.frequency_masks, max_bins=12),
    "frequency_shift": augment_spectrogram.frequency_shift,
    "frequency_warp": augment_spectrogram.frequency_warp,
}


def melody(pitches: list[int], beat_s: float = 0.25) -> np.ndarray:
    """Two seconds: notes of 12 harmonics that die away, one a beat, and a burst of noise on every second beat."""
    rng = np.random.default_rng(len(pitches))
    x = np.zeros(2 * RATE_HZ)
    for beat, pitch in enumerate(pitches):
        since_s = np.arange(len(x) - round(beat * beat_s * RATE_HZ)) / RATE_HZ
        hz = 440.0 * 2 ** ((pitch - 69) / 12)
        for harmonic in range(1, 13):
            decay = np.exp(-since_s * (6 + 0.8 * harmonic)) / harmonic
            x[-len(since_s) :] += 0.25 * decay * np.sin(2 * np.pi * harmonic * hz * since_s)
        if beat % 2:
            x[-len(since_s) :] += 0.12 * rng.standard_normal(len(since_s)) * np.exp(-since_s * 40)
    return x.astype(np.float32)


def log_mel(x: jax.Array) -> jax.Array:
    return jnp.maximum(mel.log_mel(x, RATE_HZ, **LOG_MEL), FLOOR_DB)


def picture(name: str, kind: str, panels: dict[str, np.ndarray]) -> None:
    """The original and two versions of it, side by side."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.3), sharey=True, constrained_layout=True)
    for axis, (title, row) in zip(axes, panels.items(), strict=True):
        if kind == "mels":
            extent = (0, len(row) / 100, 0, row.shape[1])
            axis.imshow(row.T, origin="lower", aspect="auto", cmap="magma", vmin=FLOOR_DB, vmax=TOP_DB, extent=extent)
        elif kind == "response":
            axis.plot(next(iter(panels.values())).mean(0), color="#999999", linewidth=1)
            axis.plot(row.mean(0), color="#3b4cc0", linewidth=1.5)
            axis.grid(alpha=0.3)
        else:
            part = slice(4000, 4400) if kind == "detail" else slice(None)
            axis.plot(np.arange(len(row))[part] / RATE_HZ, row[part], color="#3b4cc0", linewidth=1)
            axis.set_ylim(-1, 1)
            axis.grid(alpha=0.3)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("mel" if kind == "response" else "s", fontsize=9)
        axis.tick_params(labelsize=8)
    label = {"mels": "mel", "response": "mean, dB"}.get(kind, "amplitude")
    axes[0].set_ylabel(label, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, facecolor="white")
    plt.close(figure)
    buffer.seek(0)
    target = Path(__file__).parents[1] / "augmentations" / f"{name}.png"
    target.parent.mkdir(exist_ok=True)
    # 48 colours are enough for a picture of this size, and a quarter of the bytes.
    Image.open(buffer).convert("RGB").quantize(48, dither=Image.Dither.NONE).save(target, optimize=True)


def pictures() -> None:
    key = jax.random.key(3)
    x = jnp.asarray([melody([57, 64, 69, 72, 55, 62, 67, 71]), melody([81, 81, 74, 74, 79, 79, 76, 76])])
    for name, (kind, versions) in OF_WAVES.items():
        show = log_mel if kind in ("mels", "response") else jnp.asarray
        panels = {"original": x, **{title: apply(key, x) for title, apply in versions.items()}}
        picture(name, kind, {title: np.asarray(show(y)[0]) for title, y in panels.items()})
    mels = log_mel(x)
    for name, versions in OF_MELS.items():
        panels = {"original": mels, **{title: apply(key, mels) for title, apply in versions.items()}}
        picture(name, "mels", {title: np.asarray(y[0]) for title, y in panels.items()})


def best_ms(apply, *arguments) -> float:
    """CPU time, of all threads, of the fastest of several runs of the compiled function."""
    compiled = jax.jit(apply)
    jax.block_until_ready(compiled(*arguments))
    taken = []
    for _ in range(9):
        start = time.process_time()
        jax.block_until_ready(compiled(*arguments))
        taken.append(time.process_time() - start)
    return 1000 * min(taken)


def costs() -> None:
    batch, seconds = 32, 10
    x = 0.1 * jax.random.normal(jax.random.key(0), (batch, seconds * RATE_HZ))
    key = jax.random.key(1)
    features = partial(mel.log_mel, sample_rate_hz=RATE_HZ, **LOG_MEL)
    base = best_ms(features, x)
    print(f"{batch} clips of {seconds} s at {RATE_HZ} Hz; log-mel: {base:.0f} ms of CPU time\n")
    print("| augmentation | CPU ms | times log-mel |\n|---|---|---|")
    rooms = augment_filters.decaying_responses(jax.random.key(5), 32, RATE_HZ)
    mels = features(x)
    calls = {name: (apply, (key, x)) for name, apply in COSTS_OF_WAVES.items()}
    calls["reverb"] = (augment_filters.reverb, (key, x, rooms))
    calls |= {name: (apply, (key, mels)) for name, apply in COSTS_OF_MELS.items()}
    for name, (apply, arguments) in calls.items():
        taken = best_ms(apply, *arguments)
        print(f"| `{name}` | {taken:.1f} | {taken / base:.2f} |", flush=True)


if __name__ == "__main__":
    commands = {"pictures": pictures, "costs": costs}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]]()
