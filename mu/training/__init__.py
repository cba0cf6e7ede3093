"""The training machinery: state, step, tables, sharding, checkpoints, writers."""
