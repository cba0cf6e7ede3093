"""What tasks without labels tell of a clip: its vector."""

from collections.abc import Mapping
from typing import Any

import jax


def clip_vectors(model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """{'clip': float32 [B, D]} of 'audio' [B, 1, N] and 'samples' [B, 1]; a task's `predict`."""
    return {"clip": model(rows, {"audio": batch["audio"][:, 0], "samples": batch["samples"][:, 0]})["clip"]}
