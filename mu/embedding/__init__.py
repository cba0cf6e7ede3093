"""Embeddings of a library: one vector a recording, kept by content hash; `mu embed` makes them, `load` opens them."""

from mu.embedding.table import Embeddings, load

__all__ = ["Embeddings", "load"]
