"""Embeds the recordings of a library with the encoder of a run, or a published one."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import polars as pl
import soundfile

from mu import __version__
from mu.data import tables
from mu.data.embeddings import SHARDS, Embeddings, load
from mu.data.faults import LEDGER, Fault, ledger_text
from mu.embedding import shards
from mu.embedding.opening import Opened, open_encoder
from mu.embedding.pieces import open_library, pieces
from mu.embedding.vector_file import VectorFile
from mu.files import read_json, write_whole
from mu.inference.pooling import clip_vectors
from mu.training.provenance import version
from mu_kernels.threads import available_cpus

TERMS = (
    "The embeddings derive from the recordings named in embeddings.parquet and inherit their terms of use: "
    "what may be done with a recording bounds what may be done with its vector. Where the encoder has a licence, the "
    "terms of its weights bound it, too."
)


@dataclasses.dataclass(frozen=True)
class EmbeddingReport:
    """Counts of a call of `embed`.

    Attributes:
      new: recordings that it embedded.
      known: recordings of its shard that had been embedded before.
      hours: of audio that it embedded.
      faults: the ledger's entries of its shard.
      missing: content hashes that other shards still have to embed; none when the embeddings are complete.
      licence: of the encoder's weights ('name', 'link', 'file'), where they are another's; else None.
    """

    new: int
    known: int
    hours: float
    faults: tuple[dict[str, str], ...]
    missing: tuple[str, ...]
    licence: dict[str, Any] | None


def embed(
    run: str | os.PathLike[str] | Opened,
    library: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    first_s: float | None = None,
    shard: tuple[int, int] = (0, 1),
    root: str | None = None,
    licence: str | None = None,
    on_error: str = "skip",
    progress: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> EmbeddingReport:
    """Embeds the clips of a library with an audio encoder, into the folder `output` (see `mu.data.embeddings`).

    A recording's vector depends on its bytes and the encoder alone: on one kind of machine with the same versions, the
    same file gives the same bits in any library, order or shard. Vectors that `output` holds are not computed again. A
    call that was killed goes on where it was. The vectors of a shard lie in `output/shards`; the process that finishes
    the last shard puts the embeddings together.

    Args:
      run: what `mu.embedding.opening.open_encoder` takes (a run, published weights, a baseline), or what it returned.
      library: the folder that `mu import-audio` wrote.
      output: the folder to make, or to bring up to date.
      first_s: embed so many seconds of each recording and no more; None for all.
      shard: (i, n): the i-th of n shards, from 0; the content hash of a recording decides its shard.
      root: where the library's files lie, if they have moved since.
      licence: a note on the recordings' terms; None keeps the one that is there.
      on_error: 'skip' enters bad files in the ledger; 'stop' ends at the first.
      progress: called with how much of how much is done, and a note.

    Raises:
      FileNotFoundError: no such run or library, or its audio is gone.
      FileExistsError: `output` holds something else, or another process works on this shard.
      ValueError: arguments that make no sense, no clip that could be embedded, or with 'stop' a bad file.
    """
    number, of = shard
    if not 0 <= number < of:
        raise ValueError(f"shard is {number}/{of}; shards are counted from 0 to one less than there are")
    if on_error not in ("skip", "stop"):
        raise ValueError(f"on_error is {on_error!r}; it must be 'skip' or 'stop'")
    folder = Path(output)
    shards.check_output(folder)
    if first_s is not None and not 0 < first_s < float("inf"):
        raise ValueError(f"first_s is {first_s}; it must be a number of seconds above 0")
    encoder, about = run if isinstance(run, tuple) else open_encoder(run)
    clips = dataclasses.replace(open_library(library, encoder.sample_rate_hz, root), first_s=first_s)
    plan = {
        "encoder": _of_library(about, clips.table["content_hash"]),
        "dim": encoder.dim,
        "first_s": first_s,
        "library": os.fspath(library),
        # Links are followed first: '..' leads from the folder that is meant, not from the link to it.
        "library_from_here": os.path.relpath(os.path.realpath(library), os.path.realpath(folder)),
        "licence": {"note": licence, "terms": TERMS},
        "made_with": [made_with()],
    }
    work = folder / SHARDS / f"{number}-of-{of}"
    with contextlib.ExitStack() as stack:
        with shards.locked(folder):
            shards.write_plan(folder, plan, clips.table)
            # Open from here on: a process that finishes meanwhile sees that this shard is open.
            vector_file = stack.enter_context(VectorFile(work / shards.VECTOR_FILE, encoder.dim))
            stored = shards.stored_vectors(folder, encoder.dim)
        (work / LEDGER).unlink(missing_ok=True)  # faulty recordings are tried again
        recordings = clips.table.with_row_index("at").unique("content_hash", keep="first", maintain_order=True)
        ours = [shards.shard_of(key, of) == number for key in recordings["content_hash"]]
        recordings = recordings.filter(pl.Series(ours, dtype=pl.Boolean))
        todo = recordings.join(stored.places, on="content_hash", how="anti", maintain_order="left")["at"].to_list()
        n_known, new, seconds = len(recordings) - len(todo), 0, 0.0
        faults: list[dict[str, str]] = []
        progress(n_known, len(recordings), "")

        read = pieces(clips, todo, encoder.tile_samples, available_cpus())
        with contextlib.closing(read):
            for row, answer in clip_vectors(encoder.vectors, read, encoder.at_once):
                clip, content_hash = clips.table["clip"][row], clips.table["content_hash"][row]
                if not isinstance(answer, Fault):
                    if answer.shape != (encoder.dim,):
                        raise ValueError(
                            f"{clip}: the encoder gives a vector of shape {answer.shape}; its dim says ({encoder.dim},)"
                        )
                    vector_file.append(content_hash, answer)
                    new, seconds = new + 1, seconds + clips.table["duration_s"][row]
                elif on_error == "stop":
                    raise ValueError(
                        f"{clip}: {answer.fault} ({answer.reason}). Mend it and import the library again, or embed "
                        "without --on_error=stop: such files are then left out and named in the ledger"
                    )
                else:
                    entry = {"file": clip, **answer._asdict(), "done": "left out", "content_hash": content_hash}
                    faults.append(entry)
                progress(n_known + new + len(faults), len(recordings), f"{len(faults):,} with faults" if faults else "")
        if faults:
            write_whole(work / LEDGER, ledger_text(faults))
    missing = shards.finish(folder, clips.table)
    return EmbeddingReport(new, n_known, seconds / 3600, tuple(faults), missing, about.get("licence"))


def _of_library(about: dict[str, Any], content_hashes: pl.Series) -> dict[str, Any]:
    """The card of an encoder, whose `trained_on` names the recordings of a library alone."""
    trained_on = about["trained_on"]
    if trained_on["recordings"] is None:
        return about
    there = set(content_hashes)
    recordings = [one for one in trained_on["recordings"] if one in there]
    return about | {"trained_on": trained_on | {"recordings": recordings}}


def merge(output: str | os.PathLike[str]) -> Embeddings:
    """Puts the embeddings together from finished shards, where the process of the last one did not see the others.

    Raises:
      FileNotFoundError: there is nothing to merge, or the library is gone.
      ValueError: some recordings have not been embedded; says how many, and what to do.
    """
    folder = Path(output)
    if not (folder / SHARDS / shards.PLAN).is_file():
        return load(folder)
    plan = read_json(folder / SHARDS / shards.PLAN)
    library = folder / plan["library_from_here"]
    if not (library / "clips.parquet").is_file():
        raise FileNotFoundError(f"the library is no longer at {library}, and it says which clips there must be")
    if missing := shards.finish(folder, tables.read_parquet(library / "clips.parquet")):
        raise ValueError(
            f"{len(missing):,} recordings have not been embedded, the first has the content hash {missing[0]}: "
            f"run the missing shards, or `mu embed {plan['encoder']['run']} {plan['library']} --output={folder}`"
        )
    return load(folder)


def made_with() -> dict[str, Any]:
    """Versions and device that embeddings are computed with: others may round differently."""
    return {
        "mu": __version__,
        **{name: version(name) for name in ("jax", "jaxlib", "numpy", "soxr")},
        "libsndfile": soundfile.__libsndfile_version__,
        "device": jax.devices()[0].device_kind,
    }
