"""MusiCNN as it was published, for weights that others have trained: tags of music, and vectors."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.musicnn_front_end import MusiCNNFrontEnd
from mu.nn.fixed_norm import FixedNorm

EPS = 1e-3  # of TensorFlow's layers, of which the weights are
TIMBRAL_FRAMES, TIMBRAL_FILTERS = 7, 204
TIMBRAL_SHARES = (0.4, 0.7)  # of the mels, that a filter reaches over
TEMPORAL_FRAMES, TEMPORAL_FILTERS = (128, 64, 32), 51
MID_FRAMES, MID_FILTERS, MID_LAYERS = 7, 64, 3
PENULTIMATE = 200


class FilterBank(nnx.Module):
    """Convolution, rectified and normalised, and its maximum over the mels; [B, F, M, 1] -> [B, F, filters].

    Args:
      frames: that a filter reaches over, the sides padded with zeros.
      mels: likewise, without padding.
      filters: number of filters.
      rngs: source of the initial values.
    """

    def __init__(self, frames: int, mels: int, filters: int, *, rngs: nnx.Rngs):
        before = (frames - 1) // 2
        padding = ((before, frames - 1 - before), (0, 0))
        self.convolution = nnx.Conv(1, filters, (frames, mels), padding=padding, rngs=rngs)
        self.norm = FixedNorm(filters, eps=EPS, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.max(self.norm(jax.nn.relu(self.convolution(x))), axis=2)


class MidLayer(nnx.Module):
    """Convolution over time, rectified and normalised; [B, F, D] -> [B, F, 64]."""

    def __init__(self, dim: int, *, rngs: nnx.Rngs):
        side = MID_FRAMES // 2
        self.convolution = nnx.Conv(dim, MID_FILTERS, (MID_FRAMES,), padding=((side, side),), rngs=rngs)
        self.norm = FixedNorm(MID_FILTERS, eps=EPS, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(jax.nn.relu(self.convolution(x)))


class MusiCNN(nnx.Module):
    """Musically motivated CNN for tagging (Pons & Serra 2019, arXiv:1909.06654; Pons et al. 2018, arXiv:1711.02520).

    Tall filters find timbres at any pitch, long ones patterns in time; three residual layers follow, whose outputs and
    the filters' are pooled over time, by maximum and mean.

    Args:
      front_end: from waveforms to spectrograms.
      tags: K.
      rngs: source of the initial values.
    """

    def __init__(self, *, front_end: MusiCNNFrontEnd, tags: int, rngs: nnx.Rngs):
        self.front_end = front_end
        mels = [int(share * front_end.n_mels) for share in TIMBRAL_SHARES]
        self.input_norm = FixedNorm(1, eps=EPS, rngs=rngs)
        self.timbral = nnx.List([FilterBank(TIMBRAL_FRAMES, reach, TIMBRAL_FILTERS, rngs=rngs) for reach in mels])
        self.temporal = nnx.List([FilterBank(frames, 1, TEMPORAL_FILTERS, rngs=rngs) for frames in TEMPORAL_FRAMES])
        dim = len(mels) * TIMBRAL_FILTERS + len(TEMPORAL_FRAMES) * TEMPORAL_FILTERS
        self.mid = nnx.List([MidLayer(dim if layer == 0 else MID_FILTERS, rngs=rngs) for layer in range(MID_LAYERS)])
        dim += MID_LAYERS * MID_FILTERS
        self.pool_norm = FixedNorm(2 * dim, eps=EPS, rngs=rngs)
        self.penultimate = nnx.Linear(2 * dim, PENULTIMATE, rngs=rngs)
        self.penultimate_norm = FixedNorm(PENULTIMATE, eps=EPS, rngs=rngs)
        self.tags = nnx.Linear(PENULTIMATE, tags, rngs=rngs)

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def encode(self, spectrogram: jax.Array) -> dict[str, jax.Array]:
        """Outputs for spectrograms of the front end.

        Args:
          spectrogram: float32 [B, F, M].

        Returns:
          Float32 arrays; those of the reference have its names. 'timbral' [B, F, 408], 'temporal' [B, F, 153], 'cnn1',
          'cnn2' and 'cnn3' [B, F, 64], and all of them as 'frames' [B, F, 753]; 'max_pool' and 'mean_pool' [B, 753],
          over the frames; 'penultimate' [B, 200]; 'tags' [B, K], probabilities; 'clip' [B, 953], the penultimate layer
          and the mean pool, which holds what the layers below it know.
        """
        x = self.input_norm(spectrogram[..., None])
        timbral = jnp.concatenate([bank(x) for bank in self.timbral], axis=-1)
        temporal = jnp.concatenate([bank(x) for bank in self.temporal], axis=-1)
        layers = [jnp.concatenate([timbral, temporal], axis=-1)]
        for place, layer in enumerate(self.mid):
            layers.append(layer(layers[-1]) if place == 0 else layers[-1] + layer(layers[-1]))
        frames = jnp.concatenate(layers, axis=-1)
        max_pool, mean_pool = jnp.max(frames, axis=1), jnp.mean(frames, axis=1)
        # The two pools of a channel stand side by side.
        pools = jnp.stack([max_pool, mean_pool], axis=-1).reshape(len(frames), -1)
        penultimate = self.penultimate_norm(jax.nn.relu(self.penultimate(self.pool_norm(pools))))
        return {
            "clip": jnp.concatenate([penultimate, mean_pool], axis=-1),
            "frames": frames,
            "tags": jax.nn.sigmoid(self.tags(penultimate)),
            "penultimate": penultimate,
            "max_pool": max_pool,
            "mean_pool": mean_pool,
            "timbral": timbral,
            "temporal": temporal,
            **{f"cnn{place}": layer for place, layer in enumerate(layers[1:], 1)},
        }

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Outputs for waveforms, 'audio' float32 [B, N] and 'samples' int32 [B]; see `encode`. Nothing is random."""
        del rows, key
        return self.encode(self.front_end(batch["audio"], batch["samples"]))
