"""How runs are measured: where a trained model, its data and its baselines meet the evaluators."""
