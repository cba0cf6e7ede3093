"""Listening logs in: files of many formats become one folder of CSR arrays, tables and a card."""

from mu.data.logs.importing.options import Options
from mu.data.logs.importing.run import import_log
from mu.data.logs.importing.sources import FORMATS, BadRow, BadRowError

__all__ = ["FORMATS", "BadRow", "BadRowError", "Options", "import_log"]
