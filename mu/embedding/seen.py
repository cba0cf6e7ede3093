"""Clips of a library that the encoder of its embeddings has learnt from: refused, left out or marked by probes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mu.data.clips.clips import Clips, whole_column


def without_seen(clips: Clips, card: Mapping[str, Any], group: str, seen: str) -> tuple[Clips, str]:
    """(the clips that are probed, a sentence about what the encoder knows of them; '' where it knows none).

    An encoder that has learnt labels from a clip makes its vector one from which they are easy to tell. Clips of the
    same group count as the same.

    Args:
      clips: of the library, with embeddings.
      card: of the embeddings; `trained_on` of its encoder says what that has learnt from.
      group: column whose equal values belong together.
      seen: what is done about them: 'refuse', 'leave_out' or 'keep'.

    Raises:
      ValueError: the encoder has learnt labels from some of the clips, and `seen` refuses that, or from all.
    """
    encoder = card["encoder"]
    trained_on = encoder.get("trained_on", {"recordings": None})
    if trained_on["recordings"] is None:
        return clips, "what the encoder has learnt from is not known: it may know these clips"
    own = clips.table["content_hash"].is_in(trained_on["recordings"]).to_numpy()
    groups = np.array([str(value) for value in whole_column(clips.table, group)])
    known = own | np.isin(groups, groups[own])
    if not known.any():
        return clips, ""
    counted = f"{own.sum():,} of these {len(clips):,} clips"
    if more := int((known & ~own).sum()):
        counted += f", and {more:,} more are of the same {group}"
    if not trained_on["targets"]:
        return clips, f"the encoder has learnt from the sound of {counted}, without labels"
    labels = ", ".join(trained_on["targets"])
    if seen == "leave_out" and not known.all():
        said = f"{known.sum():,} clips are left out: the encoder has learnt {labels} from them"
        return clips.take(np.flatnonzero(~known)), f"{said} or from other clips of the same {group}" if more else said
    learnt = f"the encoder has learnt {labels} from {counted}"
    if seen == "keep":
        return clips, f"{learnt}: this says nothing of clips that it does not know"
    rest = "none are left: probe clips that it does not know"
    if not known.all():
        rest = (
            f"--seen=leave_out probes the other {(~known).sum():,} alone (with --folds=N where they are of one fold), "
            "--seen=keep all of them, and says so in every table"
        )
    raise ValueError(
        f"{learnt} ({encoder['run']}, split {trained_on['split'][:12]}), and a probe on them would flatter it; {rest}"
    )
