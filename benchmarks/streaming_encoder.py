"""What sound that is still coming costs: milliseconds of computing a second of sound, and how late frames are.

    python benchmarks/streaming_encoder.py [--seconds=30] [--rounds=5] [--json=FILE]

`mu.inference.streaming_encoder` with trunk='streaming_cnn' and random weights at 16 kHz, in chunks of 20, 100 and
1,000 ms, beside the same encoder over the whole at once, and over what one has without streaming: the last
`--seconds` encoded again at every chunk. Times are medians over rounds that take turns; the first, which compiles, is
left out.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from mu.evals.text_tables import text_table
from mu.inference.streaming_encoder import StreamingEncoder
from mu.models.audio_encoder import AudioEncoder
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

RATE_HZ = 16_000
CHUNKS_MS = (20, 100, 1000)


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def measured(size: str, audio: np.ndarray, rounds: int) -> dict:
    """Milliseconds a second of sound, by chunk and of the whole, and how late a frame is."""
    options = {"trunk": "streaming_cnn", "size": size, "normalisation": "fixed", "sample_rate_hz": RATE_HZ}
    graph, state = nnx.split(AudioEncoder(**options, outputs={}, rngs=nnx.Rngs(0)))
    params = nnx.to_pure_dict(state)
    encoder = StreamingEncoder(graph, params)
    whole = jax.jit(lambda audio, samples: nnx.merge(graph, params)({}, {"audio": audio, "samples": samples})["clip"])
    seconds = len(audio) / RATE_HZ

    def in_chunks(length: int) -> tuple[np.ndarray, float]:
        state, slowest = encoder.start(), 0.0
        for start in range(0, len(audio), length):
            began = time.perf_counter()
            state, _ = encoder.push(state, audio[start : start + length])
            slowest = max(slowest, time.perf_counter() - began)
        return encoder.finish(state)[1], slowest

    times: dict[str, list[float]] = {"whole": [], **{f"{ms} ms": [] for ms in CHUNKS_MS}}
    slowest: dict[str, list[float]] = {f"{ms} ms": [] for ms in CHUNKS_MS}
    one, samples = audio[None], np.array([len(audio)], np.int32)
    for _ in range(rounds + 1):
        times["whole"].append(timed(lambda: whole(one, samples)))
        for ms in CHUNKS_MS:
            began = time.perf_counter()
            vector, worst = in_chunks(RATE_HZ * ms // 1000)
            times[f"{ms} ms"].append(time.perf_counter() - began)
            slowest[f"{ms} ms"].append(worst)
    largest = float(np.abs(vector - np.asarray(whole(one, samples))[0]).max())
    cost = {name: 1000 * float(np.median(some[1:])) / seconds for name, some in times.items()}
    return {
        "size": size,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "ms_a_second": cost,
        "slowest_push_ms": {name: 1000 * float(np.median(some[1:])) for name, some in slowest.items()},
        # Every chunk of a second would have the whole encoded again.
        "again_ms_a_second": cost["whole"] * seconds,
        "stride_ms": 1000 * encoder.stride_samples / RATE_HZ,
        "look_ahead_ms": 1000 * encoder.look_ahead_samples / RATE_HZ,
        "largest_difference": largest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="xs,s,m", help="letters of mu.models.audio_trunks.CNN_SIZES")
    parser.add_argument("--seconds", type=int, default=30, help="of sound")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also writes all numbers")
    arguments = parser.parse_args()
    audio = np.random.default_rng(0).standard_normal(arguments.seconds * RATE_HZ).astype(np.float32) * np.float32(0.1)
    rows = [measured(size, audio, arguments.rounds) for size in arguments.sizes.split(",")]
    head = ["size", "parameters", "whole", *(f"{ms} ms" for ms in CHUNKS_MS), "again", "slowest push", "largest diff."]
    lines = [
        [
            row["size"],
            f"{row['parameters'] / 1e6:.2f} M",
            *(f"{row['ms_a_second'][name]:.1f}" for name in ("whole", *(f"{ms} ms" for ms in CHUNKS_MS))),
            f"{row['again_ms_a_second']:.0f}",
            f"{row['slowest_push_ms']['100 ms']:.1f} ms",
            f"{row['largest_difference']:.1e}",
        ]
        for row in rows
    ]
    print(f"Milliseconds of computing a second of sound; {available_cpus()} of {os.cpu_count()} cores of {processor()}")
    print(text_table([head, *lines]))
    print(
        f"A frame every {rows[0]['stride_ms']:.0f} ms, {rows[0]['look_ahead_ms']:.0f} ms after its own sound. 'again': "
        f"the last {arguments.seconds} s encoded anew every second. Slowest push: of chunks of 100 ms."
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
