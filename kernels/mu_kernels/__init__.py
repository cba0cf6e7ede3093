"""Numba kernels of the host's hot path: histories in, negatives and candidates out.

Public functions check their inputs, allocate and document; private compiled functions do the work, in as many
threads as `threads=` says, with results that do not depend on it. Depends on NumPy and Numba alone.
Importing compiles nothing; a kernel is compiled at its first call and cached on disk where a writable folder
exists (`mu_kernels.compile`). The modules `compile`, `threads` and `hashing` are for kernels of other packages.
"""

import os
from pathlib import Path

from mu_kernels._distributions import warn_of_two
from mu_kernels._vector.cpu import instructions
from mu_kernels.csr import CSR
from mu_kernels.dated_ranks import rank_at_times
from mu_kernels.distinct import distinct
from mu_kernels.hard_negatives import HardNegatives, hard_negatives
from mu_kernels.index import ItemIndex
from mu_kernels.later_plays import later_plays
from mu_kernels.mixtures import NegativeMixture
from mu_kernels.negatives import Draw, NegativeSampler
from mu_kernels.packing import Packing, one_per_row, pack_windows
from mu_kernels.ranks import Ranks, rank_scores
from mu_kernels.sparse_index import SparseIndex
from mu_kernels.sparse_rows import SparseRows
from mu_kernels.topk import Hits, top_k_scores
from mu_kernels.transition_evidence import TransitionEvidence, transition_evidence
from mu_kernels.transition_weights import weigh_transitions
from mu_kernels.transitions import Transitions, count_transitions
from mu_kernels.windows import WindowBatch, Windows, cut_windows, fill_windows

__all__ = [
    "CSR",
    "Draw",
    "HardNegatives",
    "Hits",
    "ItemIndex",
    "NegativeMixture",
    "NegativeSampler",
    "Packing",
    "Ranks",
    "SparseIndex",
    "SparseRows",
    "TransitionEvidence",
    "Transitions",
    "WindowBatch",
    "Windows",
    "count_transitions",
    "cut_windows",
    "distinct",
    "fill_windows",
    "hard_negatives",
    "instructions",
    "later_plays",
    "one_per_row",
    "pack_windows",
    "rank_at_times",
    "rank_scores",
    "top_k_scores",
    "transition_evidence",
    "weigh_transitions",
]

if os.path.isdir(Path(__file__).parents[1]):  # not in a zip archive
    warn_of_two(Path(__file__).parents[1])
