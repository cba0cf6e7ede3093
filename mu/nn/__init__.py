"""Layers: flax.nnx modules that know logical axis names and never a mesh."""
