"""Values of JSON as text: numbers as they are written, lists separated by '|', what is nested as JSON."""

import json
import re
from typing import Any, NamedTuple

from mu.data.logs.importing.entities import SEPARATOR
from mu.data.logs.importing.fields import WHOLE_LINE
from mu.data.logs.importing.text_files import invalid_text, is_invalid

MAX_NESTING = 64  # lists and objects inside of each other; Python's own limit depends on who calls
TOO_DEEP = f"more than {MAX_NESTING} lists and objects inside of each other"
_TOKENS = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[\]{}]', re.DOTALL)  # linear, whatever the text


class JsonRecord(NamedTuple):
    """A line, or an element of an array.

    Attributes:
      number: of the line or element, from 1.
      text: as it is written.
      record: the object in it; empty where there is none.
      fault: what is wrong, or ''.
    """

    number: int
    text: str
    record: dict[str, object]
    fault: str


class _Number(str):
    """A number of JSON as it is written."""


def _constant(text: str) -> str | None:
    return None if text == "NaN" else text


decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_constant)
_nested_decoder = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_constant)


def read_object(text: str) -> tuple[dict[str, object], str]:
    """The object that `text` holds and '', or an empty object and what is wrong."""
    if is_nested_deeply(text):
        return {}, TOO_DEEP
    try:
        text = text.strip()
        value, end = decoder.raw_decode(text)
        if end < len(text):
            decoder.decode(text)  # raises: it searches for blanks around the object, which takes a tenth of the time
    except json.JSONDecodeError as error:
        return {}, f"not JSON: {error.msg} at character {error.pos + 1}"
    return (value, "") if isinstance(value, dict) else ({}, "not a JSON object")


def is_nested_deeply(text: str) -> bool:
    """Whether more than `MAX_NESTING` lists and objects are inside of each other."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return False
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > MAX_NESTING:
            return True
    return False


def as_text(name: str, value: object, text: str, one_value: bool) -> tuple[str, str]:
    """The value of the key `name` as text, and what is wrong with it or ''; '' for null.

    Args:
      name: of the key.
      value: of `read_object`.
      text: of the whole object.
      one_value: whether lists and objects are refused.
    """
    if isinstance(value, str):
        return value, "invalid text, half of a surrogate pair" if is_invalid(value) else ""
    if value is None:
        return "", ""
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    if one_value:
        return json.dumps(value), "one value is due, not several"
    if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
        parts = [as_text(name, part, text, True)[0] for part in value if part is not None]
        if any(SEPARATOR in part for part in parts):
            return json.dumps(value), f"lists are kept as text separated by {SEPARATOR!r}, which a value holds itself"
        return SEPARATOR.join(parts), ""
    nested = _nested_decoder.decode(text.strip())
    return _written(nested[name] if isinstance(nested, dict) and name in nested else value), ""


def fault_of(record: dict[str, object], text: str, encoding: str) -> tuple[str, str, str]:
    """The column, value and reason of a line that is no valid text."""
    reason = invalid_text(encoding)
    for name, field in record.items():
        if isinstance(field, str) and is_invalid(field):
            return name, field, reason
    return WHOLE_LINE, text, reason


def _written(value: Any) -> str:
    """JSON of a value of `_nested_decoder`, with numbers as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_written(v)}" for key, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
