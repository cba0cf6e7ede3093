"""Transformer blocks and the stack that scans over them."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.attention import SelfAttention
from mu.nn.dropout import dropout
from mu.nn.layers import scan_layers, stack_layers
from mu.nn.linear import linear


class Norm(nnx.Module):
    """Layer normalisation over the last axis, computed in float32, given back in `dtype`."""

    def __init__(self, dim: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.dtype = dtype
        metadata = {"axes": ("embed",)}
        self.layer = nnx.LayerNorm(dim, scale_metadata=metadata, bias_metadata=metadata, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(x.astype(jnp.float32)).astype(self.dtype)


class TransformerBlock(nnx.Module):
    """Pre-norm attention and GELU MLP (x 4), each with a residual; [B, T, D] -> [B, T, D]."""

    def __init__(self, dim: int, heads: int, *, rotary: bool, rate: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.rate = rate
        self.attention_norm = Norm(dim, dtype=dtype, rngs=rngs)
        self.attention = SelfAttention(dim, heads, rotary=rotary, dtype=dtype, rngs=rngs)
        self.mlp_norm = Norm(dim, dtype=dtype, rngs=rngs)
        self.up = linear(dim, 4 * dim, ("embed", "hidden"), dtype=dtype, rngs=rngs)
        self.down = linear(4 * dim, dim, ("hidden", "embed"), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, positions: jax.Array, key: jax.Array | None) -> jax.Array:
        first, second = (None, None) if key is None else jax.random.split(key)
        x = x + dropout(self.attention(self.attention_norm(x), mask, positions), self.rate, first)
        return x + dropout(self.down(jax.nn.gelu(self.up(self.mlp_norm(x)))), self.rate, second)


class LiGRBlock(nnx.Module):
    """Pre-norm attention and SwiGLU (x 4), each residual gated by sigmoid(W x); [B, T, D] -> [B, T, D].

    Source: LiGR (LinkedIn, arXiv:2502.03417), as used by eSASRec (Tikhonovich et al., RecSys 2025, arXiv:2508.06450).
    As in the authors' RecTools the gates see x before the norm, and only the SwiGLU has no biases.
    """

    def __init__(self, dim: int, heads: int, *, rotary: bool, rate: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.rate = rate
        self.attention_norm = Norm(dim, dtype=dtype, rngs=rngs)
        self.attention = SelfAttention(dim, heads, rotary=rotary, dtype=dtype, rngs=rngs)
        self.attention_gate = linear(dim, dim, ("embed", None), dtype=dtype, rngs=rngs)
        self.mlp_norm = Norm(dim, dtype=dtype, rngs=rngs)
        self.gate = linear(dim, 4 * dim, ("embed", "hidden"), use_bias=False, dtype=dtype, rngs=rngs)
        self.up = linear(dim, 4 * dim, ("embed", "hidden"), use_bias=False, dtype=dtype, rngs=rngs)
        self.down = linear(4 * dim, dim, ("hidden", "embed"), use_bias=False, dtype=dtype, rngs=rngs)
        self.mlp_gate = linear(dim, dim, ("embed", None), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, positions: jax.Array, key: jax.Array | None) -> jax.Array:
        first, second = (None, None) if key is None else jax.random.split(key)
        mixed = dropout(self.attention(self.attention_norm(x), mask, positions), self.rate, first)
        x = x + mixed * jax.nn.sigmoid(self.attention_gate(x))
        h = self.mlp_norm(x)
        mixed = dropout(self.down(jax.nn.silu(self.gate(h)) * self.up(h)), self.rate, second)
        return x + mixed * jax.nn.sigmoid(self.mlp_gate(x))


class ViTBlock(nnx.Module):
    """The block of vision transformers (Dosovitskiy et al. 2021, arXiv:2010.11929); [B, T, D] -> [B, T, D].

    It is `TransformerBlock` with the exact GELU and layer norms of epsilon 1e-12 in float32, as published weights need.
    """

    def __init__(self, dim: int, heads: int, *, rotary: bool, rate: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.rate, self.dtype = rate, dtype
        self.attention_norm = exact_norm(dim, rngs=rngs)
        self.attention = SelfAttention(dim, heads, rotary=rotary, dtype=dtype, rngs=rngs)
        self.mlp_norm = exact_norm(dim, rngs=rngs)
        self.up = linear(dim, 4 * dim, ("embed", "hidden"), dtype=dtype, rngs=rngs)
        self.down = linear(4 * dim, dim, ("hidden", "embed"), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, positions: jax.Array, key: jax.Array | None) -> jax.Array:
        first, second = (None, None) if key is None else jax.random.split(key)
        x = x + dropout(self.attention(self.attention_norm(x).astype(self.dtype), mask, positions), self.rate, first)
        mixed = jax.nn.gelu(self.up(self.mlp_norm(x).astype(self.dtype)), approximate=False)
        return x + dropout(self.down(mixed), self.rate, second)


def exact_norm(dim: int, *, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Layer normalisation in float32 with epsilon 1e-12, its variance from the centred values."""
    metadata = {"axes": ("embed",)}
    return nnx.LayerNorm(
        dim, epsilon=1e-12, use_fast_variance=False, scale_metadata=metadata, bias_metadata=metadata, rngs=rngs
    )


BLOCKS = {"transformer": TransformerBlock, "ligr": LiGRBlock, "vit": ViTBlock}


class Stack(nnx.Module):
    """`layers` blocks of one kind, stacked and scanned (`mu.nn.layers`)."""

    def __init__(
        self,
        layers: int,
        dim: int,
        heads: int,
        *,
        block: str,
        rotary: bool,
        rate: float,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        if block not in BLOCKS:
            raise ValueError(f"block={block!r}; known: {', '.join(BLOCKS)}")

        def create(rngs: nnx.Rngs) -> nnx.Module:
            return BLOCKS[block](dim, heads, rotary=rotary, rate=rate, dtype=dtype, rngs=rngs)

        self.blocks = stack_layers(create, layers, rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, positions: jax.Array, key: jax.Array | None) -> jax.Array:
        return scan_layers(self.blocks, x, mask, positions, key=key)
