"""Pitch of single notes, learnt without labels (Philharmonia samples: 1,119 notes, 15 instruments).

Source: github skratchdot/philharmonia-samples, CC BY-SA 3.0. PESTO's network (Riou et al. 2023, arXiv:2309.02265), from
scratch: a spectrum that is moved by k bins has a pitch that is moved by k. No label is used in training and in
choosing (the validation loss is the task's own); the absolute pitch is that of synthetic tones.

`numbers/within_half` is the raw pitch accuracy: the share of notes within 50 cents of the pitch of the file name. Test
notes are those of fold 0, of pitches that training has not had; beside it a linear model of MFCCs that has the labels.
Seed 0: .813 [.760, .867] after 300 steps (MFCCs .067 [.036, .098]); 14 min, 2 busy cores of an AMD EPYC.

    mu import-audio philharmonia_notes/meta.csv --root=philharmonia_notes --output=data/philharmonia_16k \
       --store --store_rate_hz=16000
    mu train --config=experiments/philharmonia_pitch.py --workdir=runs/philharmonia_pitch
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False, fold=0, seed=0)
    config = base()
    config.seed = args.seed
    config.data = {
        "name": "mu.data.clips.clips:load",
        "path": "data/philharmonia_16k",
        "sample_rate_hz": 16000,
        "numbers": ("midi_pitch",),
        "first_s": 1.0,
    }
    config.split = {"name": "mu.data.clips.folds:by_column", "column_name": "fold", "fold": args.fold}
    config.batches = {"name": "mu.data.batches.clips:ClipBatches", "clips_per_batch": 32, "crop_s": 1.0}
    config.model = {"name": "mu.models.pesto:Pesto"}
    config.task = {"name": "mu.tasks.pitch_shift:PitchShift", "frames": 4, "max_shift": 12}
    config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 1e-3, "weight_decay": 1e-4}
    config.clip_norm = 1.0
    config.evals = {
        "clips": {
            "name": "mu.evals.protocols.clips:ClipPrediction",
            "number_metrics": ("within_half", "pearson"),
        }
    }
    config.recommender = {"name": "mu.inference.clips:ClipPredictor"}
    config.baselines = {"mfcc_linear": {"name": "mu.baselines.mfcc:MFCCLinear"}}
    config.best = {"metric": "valid/negative_loss", "patience": None}
    config.total_steps = 20 if args.smoke else 300
    config.evaluate_every_steps = 10 if args.smoke else 100
    config.log_every_steps = 20
    return config
