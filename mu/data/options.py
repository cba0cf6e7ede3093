"""Options of imports, declared once: dataclass fields with a help text, from which a command makes its flags."""

import dataclasses
import typing
from typing import Any

from mu.ranges import faults_of


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


def check_options(options: Any) -> None:
    """Holds the fields of a dataclass against their types and ranges (`mu.ranges`).

    Raises:
      OptionError: names each field that is wrong, its value and what it takes, a line each.
    """
    hints = typing.get_type_hints(type(options), include_extras=True)
    if wrong := faults_of(vars(options), hints):
        raise OptionError("\n".join(line.replace("=", " is ", 1) for line in wrong))
