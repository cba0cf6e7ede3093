"""Who likes a track that training has not seen: 400 tracks, 8,407 ratings (Emotify), 5 folds by track, audio + cohort.

Source: Aljanaki, Wiering & Veltkamp, "Studying emotion induced by music through a crowdsourcing game", IP&M 2015. Of a
listener age, gender, mother tongue and mood before listening are known, not who it was; nothing is published for this.
The four together name few people, so their smoothed rate on other tracks is a strong baseline: AUC .686 (liked) and
.724 (disliked), log loss .618 and .459, where the genre's rate reaches .558 and .577, .663 and .496. The rate within
the track's true genre, which the model predicts instead, is .701 and .744, .611 and .450.

3 seeds: AUC .701 [.687, .713] and .757 [.745, .770], log loss .612 [.601, .625] and .444 [.421, .466]. In all four that
is better, beyond the paired interval, than both rates, than MFCC statistics and cohort by logistic regression, and than
the cohort alone (parts=cohort); than gradient boosting on MFCC statistics and cohort in three: the log loss of liked is
the same (difference .000 [-.006, .008]). Just beyond are its AUC of liked (.007 [.000, .013]) and the cohort's log loss
of it (-.006 [-.011, -.000]).

Validation tells little apart: at 400 steps, two folds, one seed, the mean log loss of liked and disliked is .5225;
without what clip and listener make together (model.rank=0) .5223, with 20 times the weight decay .5218, both .5222.
A run takes 2 minutes of one CPU core.

    mu import-audio emotify/tracks.csv --root=emotify --output=data/emotify --store --store_rate_hz=16000
    mu crossvalidate --config=experiments/emotify_joint.py --folds=5 --seeds=0,1,2 --workdir=runs/emotify_joint
    mu crossvalidate --config=experiments/emotify_joint.py:parts=cohort --folds=5 --workdir=runs/emotify_cohort
    mu crossvalidate --config=experiments/emotify_joint.py:parts=audio --folds=5 --workdir=runs/emotify_audio

All of it, with MFCC baselines and paired intervals: `make results-ratings`, into docs/results/ratings.md.
Tracks' mean emotions and genre are heads of the encoder while it trains, never an input.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg

EMOTIONS = (
    "mean_amazement",
    "mean_solemnity",
    "mean_tenderness",
    "mean_nostalgia",
    "mean_calmness",
    "mean_power",
    "mean_joyful_activation",
    "mean_tension",
    "mean_sadness",
)


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False, fold=0, seed=0, refit=True, parts=("both", "cohort", "audio"))
    config = base()
    config.seed = args.seed
    config.data = {
        "name": "mu.data.ratings.rated_clips:load",
        "clips": {
            "name": "mu.data.clips.clips:load",
            "path": "data/emotify",
            "sample_rate_hz": 16000,
            "classes": ("genre",),
            "numbers": EMOTIONS,
        },
        "ratings": "emotify/annotations.csv",
        "clip_column": "track id",
        "key": "track_id",
        "labels": ("liked", "disliked"),
        "categories": ("gender", "mother tongue", "mood"),
        "numbers": ("age",),
        "cells": () if args.parts == "audio" else ("mother tongue", "gender", "age", "mood"),
        "class_target": "genre",
    }
    config.split = {"name": "mu.data.clips.folds:by_hash", "n_folds": 5, "fold": args.fold, "stratify": "genre"}
    crop_s = 1.0 if args.parts == "cohort" else 5.0
    config.batches = {"name": "mu.data.batches.ratings:RatingBatches", "clips_per_batch": 32, "crop_s": crop_s}
    encoder = {
        "name": "mu.models.audio_encoder:AudioEncoder",
        "window_s": 0.064,
        "hop_s": 0.04,
        "n_mels": 64,
        "fmin_hz": 30.0,
        "normalisation": "none",
        "dropout": 0.3,
    }
    config.model = {
        "name": "mu.models.ratings:RatingModel",
        "encoder": None if args.parts == "cohort" else encoder,
        "listener": args.parts != "audio",
        "dropout": 0.5,
    }
    config.task = {"name": "mu.tasks.ratings:ListenerRatings"}
    config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 2e-3, "weight_decay": 0.05}
    config.clip_norm = 1.0
    config.ema_decay = 0.99
    config.evals = {"ratings": {"name": "mu.evals.protocols.ratings:RatingPrediction"}}
    config.recommender = {"name": "mu.inference.ratings:RatingPredictor"}
    config.best = {"metric": "valid/ratings/liked/log_likelihood", "patience": None}
    config.baselines = {
        "cohort_mean": {
            "name": "mu.baselines.ratings:SmoothedRates",
            "by": ("mother tongue", "gender", "age", "mood"),
        },
        "genre_mean": {"name": "mu.baselines.ratings:SmoothedRates", "by": ("genre",)},
    }
    config.refit = args.refit and not args.smoke
    config.total_steps = 20 if args.smoke else 400
    config.evaluate_every_steps = 10 if args.smoke else 100
    config.log_every_steps = 50
    return config
