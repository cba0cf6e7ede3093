"""Options of imports, declared once: dataclass fields with a help text, from which a command makes its flags."""

import dataclasses
import typing
from typing import Any


class OptionError(ValueError):
    """An option is wrong, or two options contradict each other. Commands exit with 2 for it."""


def option(default: Any, help: str, *, group: str, metavar: str | None = None) -> Any:
    """A dataclass field with what a command needs for its flag.

    Args:
      default: of the field.
      help: one sentence for `--help`.
      group: title of the group of flags.
      metavar: how `--help` names the value.
    """
    return dataclasses.field(default=default, metadata={"help": help, "group": group, "metavar": metavar})


def check_choices(options: Any) -> None:
    """Checks the fields of a dataclass that are annotated with `Literal`.

    Raises:
      OptionError: a value is not among its choices; names the field and the choices.
    """
    for name, hint in typing.get_type_hints(type(options)).items():
        choices = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and getattr(options, name) not in choices:
            raise OptionError(f"{name} is {getattr(options, name)!r}; it must be one of {choices}")
