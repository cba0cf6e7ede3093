"""mu: a JAX research framework for music understanding and personalisation."""

__version__ = "0.2.0"
