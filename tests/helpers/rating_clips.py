"""Tones that one half of the listeners likes low and the other high: what tests of ratings share."""

import dataclasses
import os

import numpy as np

from mu.data.ratings.rated_clips import load
from tests.helpers.audio_clips import make_clips, tiny_audio_config

# Who likes which pitch; 'middle' is liked by nobody much.
LIKES = {"bass": "low", "treble": "high"}


def write_ratings(file, n_clips=48, seed=0):
    """A table of ratings: of two kinds of listeners, each likes its own pitch; nobody dislikes but the old."""
    random = np.random.default_rng(seed)
    lines = ["track, kind, age, liked, disliked"]
    for clip in range(n_clips):
        for _ in range(int(random.integers(3, 9))):
            kind = str(random.choice(["bass", "treble"]))
            likes = LIKES[kind] == ("low", "middle", "high")[clip % 3]
            age = int(random.integers(10, 80))
            noise = random.random() < 0.1
            lines.append(f"clip{clip:03d}.wav,{kind},{age if age > 12 else ''},{int(likes != noise)},{int(age > 50)}")
    file.write_text("\n".join(lines) + "\n")
    return file


def load_rated_clips(path="", n=48, min_count=5, bins=4, **changes):
    """The data as a config names them: `tests.helpers.rating_clips:load_rated_clips`."""
    columns = {"clip_column": "track", "labels": ("liked", "disliked"), "categories": ("kind",), "numbers": ("age",)}
    options = {**columns, "cells": ("kind", "age"), "class_target": "pitch", **changes}
    clips = make_clips(n)
    clips = dataclasses.replace(clips, targets={"pitch": clips.targets["pitch"]})
    return load(clips=clips, ratings=path, min_count=min_count, bins=bins, **options)


def tiny_rating_config(path, **changes):
    """A resolved config of a tiny model on them; `changes` are dotted keys with __ for the dots."""
    encoder = {"name": "mu.models.audio_encoder:AudioEncoder", "size": "xs", "n_mels": 32, "fmin_hz": 50.0}
    return tiny_audio_config(
        **{
            "data": {"name": "tests.helpers.rating_clips:load_rated_clips", "path": os.fspath(path)},
            "batches": {"name": "mu.data.batches.ratings:RatingBatches", "clips_per_batch": 8, "crop_s": 0.5},
            "model": {"name": "mu.models.ratings:RatingModel", "encoder": encoder},
            "task": {"name": "mu.tasks.ratings:ListenerRatings"},
            "evals": {"ratings": {"name": "mu.evals.protocols.ratings:RatingPrediction", "bootstrap_samples": 50}},
            "recommender": {"name": "mu.inference.ratings:RatingPredictor"},
            "best__metric": "valid/ratings/liked/log_likelihood",
            "ema_decay": None,
            **changes,
        }
    )
