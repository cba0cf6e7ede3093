"""Tasks: where a batch meets a model."""
