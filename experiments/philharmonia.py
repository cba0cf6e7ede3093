"""Instruments from single notes (Philharmonia samples: 1,119 notes, 15 instruments), test pitches are new to it.

Source: github skratchdot/philharmonia-samples, CC BY-SA 3.0. Folds are pitch modulo 5, so an encoder must know a timbre
and not a note; only the first second is used, because clip length gives the instrument away. On the validation folds,
three others trained on, one seed: .960, .970, .972 after 200, 400 and 600 steps.

3 seeds: .979 [.971, .985] (MFCC statistics and a linear model .900), the worst fold .970. A run takes 100 seconds of
one CPU core; docs/results/audio.md has every fold.

    mu import-audio philharmonia_notes/meta.csv --root=philharmonia_notes --output=data/philharmonia \
       --store --store_rate_hz=22050
    mu crossvalidate --config=experiments/philharmonia.py --folds=5 --seeds=0,1,2 --workdir=runs/philharmonia
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False, fold=0, seed=0, refit=True)
    config = base()
    config.seed = args.seed
    config.data = {
        "name": "mu.data.clips.clips:load",
        "path": "data/philharmonia",
        "sample_rate_hz": 22050,
        "classes": ("instrument",),
        "first_s": 1.0,
    }
    config.split = {"name": "mu.data.clips.folds:by_column", "column_name": "fold", "fold": args.fold}
    config.batches = {"name": "mu.data.batches.clips:ClipBatches", "clips_per_batch": 32, "crop_s": 1.0}
    config.model = {
        "name": "mu.models.audio_encoder:AudioEncoder",
        "window_s": 0.046,
        "hop_s": 0.01,
        "n_mels": 96,
        "fmin_hz": 40.0,
    }
    config.task = {
        "name": "mu.tasks.clip_targets:ClipTargets",
        "augment": {
            "name": "mu.tasks.augmentations:Augmentations",
            "equalize_db": (-2.0, 2.0),
            "frequency_shift": 1.0,
            "time_masks": 1,
            "time_mask_share": 0.1,
            "frequency_masks": 1,
            "frequency_mask_share": 0.08,
        },
    }
    config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 2e-3, "weight_decay": 0.05}
    config.clip_norm = 1.0
    config.ema_decay = 0.99
    config.evals = {"clips": {"name": "mu.evals.protocols.clips:ClipPrediction"}}
    config.recommender = {"name": "mu.inference.clips:ClipPredictor"}
    config.best = {"metric": "valid/clips/instrument/accuracy", "patience": None}
    config.baselines = {"mfcc_linear": {"name": "mu.baselines.mfcc:MFCCLinear"}}
    config.refit = args.refit and not args.smoke
    config.total_steps = 20 if args.smoke else 600
    config.evaluate_every_steps = 10 if args.smoke else 200
    config.log_every_steps = 50
    return config
