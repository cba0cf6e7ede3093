"""Draws docs/images/world_music.png: spectrograms of two tracks of `mu world-music` with their truth."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from mu.world.works.sound import RATE_HZ
from mu.world.works.writing import WorksOptions, make_track

TRACKS = ((0, 0), (5, 2))


def main() -> None:
    figure, axes = plt.subplots(len(TRACKS), 1, figsize=(12, 6))
    for axis, (work, version) in zip(axes, TRACKS, strict=True):
        audio, about, truth = make_track(WorksOptions(seed=0, track_duration_s=12.0), work, version)
        axis.specgram(audio + 1e-9, NFFT=2048, noverlap=1536, Fs=RATE_HZ, vmin=-140, cmap="magma")
        times_s, hertz = truth.melody_frames()
        axis.plot(times_s, np.where(hertz > 0, hertz, np.nan), "c", linewidth=1)
        for time in truth.downbeats_s:
            axis.axvline(time, color="w", linewidth=0.7)
        for span in truth.chords:
            axis.text(span.start_s, 4600, span.label, color="w", fontsize=8)
        axis.set(ylim=(0, 5000), xlim=(0, 12), ylabel="Hz")
        players = ", ".join([about.lead, about.chords, about.bass, about.drums or "no drums"])
        heard = f"{about.style.name}, {truth.key}, {truth.tempo_bpm:.0f} bpm ({players})"
        axis.set_title(f"work {work}, version {version}: {heard}")
    axes[-1].set_xlabel("s")
    figure.tight_layout()
    figure.savefig(Path(__file__).resolve().parents[1] / "images" / "world_music.png", dpi=55)


if __name__ == "__main__":
    main()
