"""Evaluation: rankings, metrics per user, intervals, comparisons."""
