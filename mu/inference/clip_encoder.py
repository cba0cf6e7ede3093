"""The audio encoder of a model as a function of tiles alone, bit for bit."""

from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.inference.pooling import TILES


class ClipEncoder:
    """Tiles of audio to clip vectors; a tile's vector is a function of that tile alone, bit for bit.

    A batch always has one shape, and XLA's programs for the CPU then give a row the same bits wherever it is in the
    batch and whatever is beside it. XLA does not promise that, so it is tried once with noise; an encoder that fails
    encodes its tiles one after the other inside the program (on a CPU up to 80 % slower).

    Args:
      graph: of a model that returns 'clip' [B, D] for 'audio' [B, N] and 'samples' [B].
      params: values of the model.
      sample_rate_hz: of the audio.
      tile_samples: N.
      at_once: tiles of a batch. With one, nothing is beside it, and nothing is tried.

    Raises:
      ValueError: the model returns no 'clip', or no finite one.

    Attributes:
      dim: D.
      noise_vector: float32 [D], the vector of a tile of noise.
      alone: whether tiles are encoded one after the other.
    """

    def __init__(
        self, graph: nnx.GraphDef, params: Any, *, sample_rate_hz: int, tile_samples: int, at_once: int = TILES
    ):
        self.sample_rate_hz, self.tile_samples, self.at_once = sample_rate_hz, tile_samples, at_once
        self._params = jax.device_put(params)

        def encode(params: Any, audio: jax.Array, samples: jax.Array) -> jax.Array:
            outputs = nnx.merge(graph, params)({}, {"audio": audio, "samples": samples})
            if "clip" not in outputs:
                raise ValueError(f"the model gives {', '.join(outputs)}, and no 'clip' to keep of a recording")
            return outputs["clip"].astype("float32")

        def encode_alone(params: Any, audio: jax.Array, samples: jax.Array) -> jax.Array:
            return jax.lax.map(lambda tile: encode(params, tile[0][None], tile[1][None])[0], (audio, samples))

        self._encode = jax.jit(encode)
        self.noise_vector = self.vectors(*_noise(1, tile_samples))[0]
        if not np.isfinite(self.noise_vector).all():
            raise ValueError("the encoder's weights give infinities or no numbers: nothing can be embedded with them")
        self.dim = len(self.noise_vector)
        self.alone = at_once > 1 and not self._keeps_rows_apart()
        if self.alone:
            self._encode = jax.jit(encode_alone)

    def vectors(self, audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """float32 [n, D] of up to `at_once` tiles.

        Args:
          audio: float32 [n, N].
          samples: int32 [n], how many of the N are sound; the rest is filling.
        """
        missing = self.at_once - len(audio)
        audio, samples = np.pad(audio, ((0, missing), (0, 0))), np.pad(samples, (0, missing))
        return np.asarray(self._encode(self._params, *jax.device_put((audio, samples))))[: self.at_once - missing]

    def _keeps_rows_apart(self) -> bool:
        audio, samples = _noise(self.at_once, self.tile_samples)
        together = self.vectors(audio, samples)
        turned = self.vectors(audio[::-1], samples[::-1])[::-1]
        few = self.vectors(audio[:3], samples[:3])
        return bool((together == turned).all() and (together[:3] == few).all())


def _noise(n: int, tile_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Tiles of different levels and lengths."""
    random = np.random.default_rng(0)
    level = 10.0 ** random.uniform(-3, 0, (n, 1))
    audio = (random.standard_normal((n, tile_samples)) * level).astype(np.float32)
    return audio, random.integers(tile_samples // 4 + 1, tile_samples + 1, n).astype(np.int32)
