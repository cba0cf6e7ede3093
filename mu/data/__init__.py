"""Listening logs: interactions on disk, importing, splits, batches of histories."""
