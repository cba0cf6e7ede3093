"""Flags of a command: those made from the fields of an options dataclass (`mu.data.options`), and those of a config."""

import argparse
import dataclasses
import os
import re
import typing
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from mu.names import as_boolean, closest
from mu.ranges import faults_of
from mu.trust import find_modules_in, trust

OPEN_ENDED = "--config."
"""How flags begin that set any key of a config."""
# Of every command.
TRUST = "--trust"


class CommandParser(argparse.ArgumentParser):
    """A parser of a command's flags, which refuses a call in one line; argparse prints all flags before it.

    Flags are given in full. A switch takes no value, or a word: `--store=yes` is `--store`, `--store=no` nothing. All
    unknown flags are refused together, each with the nearest known one, before a missing flag is. Every command takes
    `--trust=PACKAGE[,...]`: the packages are trusted (`mu.trust`), and found in the current folder.

    Args:
      prog: 'mu COMMAND'.
      description: one line, at the top of `--help`.
      epilog: at its end, printed as written.
    """

    def __init__(self, prog: str, description: str, epilog: str):
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}. `{self.prog} --help` says how to call it\n")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The values of the flags; ends the process with 2 where the call is wrong."""
        return self.parse_args(self._known(self._trusting(argv)))

    def parse_with_overrides(self, argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, str]]:
        """The values of the flags, and {'model.dim': '128'} of `--config.model.dim=128` or `--config.model.dim 128`."""
        arguments, rest = self.parse_known_args(self._known(self._trusting(argv), OPEN_ENDED))
        return arguments, self._overrides(rest)

    def _trusting(self, argv: Sequence[str]) -> list[str]:
        """The words of a call without its `--trust=PACKAGE[,...]`, whose packages are trusted."""
        left = []
        rest = iter(argv)
        for word in rest:
            flag, equals, value = word.partition("=")
            if flag != TRUST:
                left.append(word)
                continue
            packages = value if equals else next(rest, "")
            if not packages:
                self.error(f"{TRUST} needs the name of a package: {TRUST}=my_package")
            try:
                trust(*packages.split(","))
            except ValueError as error:
                self.error(str(error))
            find_modules_in(os.getcwd())
        return left

    def _known(self, argv: Sequence[str], open_ended: str = "") -> list[str]:
        """The words of a call, switches without a value, once no flag of it is unknown.

        Args:
          argv: the words.
          open_ended: how flags begin that the parser does not know and the command reads; '' for none.
        """
        # argparse has no public list of a parser's flags.
        actions = {flag: action for action in self._actions for flag in action.option_strings}
        words, unknown = [], []
        for at, word in enumerate(argv):
            if word == "--":
                words += argv[at:]
                break
            flag, equals, value = word.partition("=")
            is_value = not flag.startswith("-") or flag == "-" or re.match(r"-[\d.]", flag)
            if is_value or (open_ended and word.startswith(open_ended)):
                words.append(word)
            elif flag not in actions:
                unknown.append(f"{flag}{_nearest_flag(flag, [*actions, TRUST], open_ended)}")
            elif equals and actions[flag].nargs == 0:
                if (switched := as_boolean(value)) is None:
                    self.error(f"{word}: {flag} is a switch; it takes no value, or yes or no")
                words += [flag] if switched else []
            else:
                words.append(word)
        if unknown:
            self.error(f"unknown {'flag' if len(unknown) == 1 else 'flags'} {', '.join(unknown)}")
        return words

    def _overrides(self, rest: Sequence[str]) -> dict[str, str]:
        changes: dict[str, str] = {}
        words = iter(rest)
        for word in words:
            if not word.startswith(OPEN_ENDED):
                self.error(f"unknown argument {word!r}")
            key, equals, value = word.removeprefix(OPEN_ENDED).partition("=")
            if not equals:
                value = next(words, None)
                if value is None:
                    self.error(f"{word} needs a value: {word}=VALUE")
            changes[key] = value
        return changes


def add_flags(parser: argparse.ArgumentParser, options: type) -> None:
    """Adds a flag for each field of the dataclass `options`, in groups as the fields declare.

    The type of a field decides the flag: `Literal` gives choices, `tuple[str, ...]` a list separated by commas, `bool`
    a switch.
    """
    hints = typing.get_type_hints(options)
    groups: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        title = field.metadata["group"]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        parameters: dict[str, Any] = {"default": field.default, "help": field.metadata["help"]}
        hint = hints[field.name]
        if hint is bool:
            parameters["action"] = "store_true"
        elif typing.get_origin(hint) is typing.Literal:
            parameters["choices"] = typing.get_args(hint)
        else:
            parameters["type"], parameters["metavar"] = _reader(hint), field.metadata["metavar"]
        groups[title].add_argument(f"--{field.name}", **parameters)


def comma_separated(text: str) -> tuple[str, ...]:
    """('a', 'b') of 'a,b'."""
    return tuple(filter(None, text.split(",")))


def whole_numbers(text: str) -> tuple[int, ...]:
    """(1, 2, 4) of '1,2,4', the value of a flag.

    Raises:
      ArgumentTypeError: a part is no whole number, or is there twice.
    """
    try:
        numbers = tuple(map(int, text.split(",")))
    except ValueError:
        numbers = ()
    if not numbers or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r}; it takes different whole numbers, such as 1,2,4")
    return numbers


def take_options(options: type, flags: dict[str, Any]) -> dict[str, Any]:
    """Removes the fields of the dataclass `options` from the parsed `flags`; returns them with their values."""
    return {field.name: flags.pop(field.name) for field in dataclasses.fields(options)}


def check_flags(parser: argparse.ArgumentParser, arguments: argparse.Namespace, **ranges: Any) -> None:
    """Ends the command with 2 where flags are outside their ranges: `check_flags(parser, arguments, k=Count)`.

    Args:
      parser: of the command.
      arguments: parsed.
      **ranges: an annotation of `mu.ranges` for each flag that has one.
    """
    if wrong := faults_of(vars(arguments), ranges, prefix="--"):
        parser.error("\n".join(wrong))


def _nearest_flag(flag: str, flags: Sequence[str], open_ended: str) -> str:
    """' (did you mean --output?)' after `--outptu`; '--confg.model.dim' is looked up without what follows the dot."""
    names = {known.lstrip("-"): known for known in flags}
    first, dot, rest = flag.lstrip("-").partition(".")
    if near := closest(first.replace("-", "_"), names, 1, least=0.6):
        return f" (did you mean {names[near[0]]}{dot}{rest}?)"
    return f" (did you mean {open_ended}{first}.{rest}?)" if dot and open_ended else ""


def _reader(hint: Any) -> Callable[[str], Any]:
    """The function from the text of a flag to its value."""
    if typing.get_origin(hint) is tuple:
        return comma_separated
    for number in (int, float):
        if hint in (number, number | None):
            return number
    return str
