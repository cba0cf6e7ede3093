"""Whole models, one a file: plain keyword arguments in, a dict of named arrays out."""
