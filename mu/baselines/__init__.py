"""Recommenders without gradients: `fit(log)` and `scores(users, histories)`."""
