"""How many programs JAX compiles."""

import contextlib

import jax.monitoring


@contextlib.contextmanager
def compilations():
    """A list to which the name of every program that is compiled inside the context is added."""
    names = []

    def note(event, duration_s, **about):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(about.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


@contextlib.contextmanager
def cache_misses():
    """A list to which an entry is added for every program that is in no cache, neither in memory nor on disk."""
    misses = []

    def note(event, **about):
        if event == "/jax/compilation_cache/cache_misses":
            misses.append(about)

    jax.monitoring.register_event_listener(note)
    try:
        yield misses
    finally:
        jax.monitoring.unregister_event_listener(note)
