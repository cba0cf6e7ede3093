"""Kernels inside `jax.jit`: on CPU an XLA FFI call of a Numba-compiled function, elsewhere the same in plain JAX.

No copy and no Python at run time: XLA passes the compiled function the addresses of its own buffers. A call is one
thread. Of mu_kernels, only this module and the package `_xla` behind it import JAX; the compiled functions are in
`_ffi_cpu`.

All work under `jit`, `scan` and `vmap`. On a mesh XLA does not know how to split a call: it gathers the arguments and
every device computes all rows. Inside `jax.shard_map` each device computes its own.
"""

from mu_kernels._xla.calls import KNOWN_API_VERSIONS, api_version
from mu_kernels._xla.gathered_dot import gathered_dot
from mu_kernels._xla.negatives import NegativeTables, negative_tables, sample_negatives
from mu_kernels._xla.neighbour_sums import Bipartite, neighbour_sums
from mu_kernels._xla.ranking import rank_of, top_k

__all__ = [
    "KNOWN_API_VERSIONS",
    "Bipartite",
    "NegativeTables",
    "api_version",
    "gathered_dot",
    "negative_tables",
    "neighbour_sums",
    "rank_of",
    "sample_negatives",
    "top_k",
]
