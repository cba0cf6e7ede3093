"""Environmental sounds (ESC-10: 400 clips of 5 s, 10 classes, official 5 folds), from scratch.

Source: github karoldvl/ESC-10, CC BY 3.0 (Piczak 2015). Published: random forest .727, people .957, ESResNet with
pre-training .970. On the validation folds, three others trained on, one seed: .853, .880, .888 after 200, 400 and 600
steps; size xs .883. Size xs on the first two folds: .925 and .863; with speeds of .8 to 1.25 and a frequency mask,
after 900 steps, .863 and .863.

3 seeds: .901 [.873, .924] (MFCC statistics and a linear model .708), the worst fold .858. These brackets are over
clips; since, the 304 recordings that they were cut from are drawn, and brackets are wider by a fifth. A run takes 4
minutes of one CPU core; docs/results/audio.md has every fold.

    mu import-audio esc10/meta.csv --root=esc10 --output=data/esc10 --store --store_rate_hz=32000
    mu crossvalidate --config=experiments/esc10.py --folds=5 --seeds=0,1,2 --workdir=runs/esc10

`task=contrastive`, `masked`, `tokens` and `joint_embedding` learn without labels from the clips of the training folds;
then `--config.init_from=runs/masked/seed{seed}/fold{fold}` begins from there (`mu crossvalidate --help`). Contrastive
pre-training adds .020 [-.005, .045] (seed 0, .915 against .895, `mu compare`): 320 clips at hand teach little more by
themselves. The others have not been measured. `task=text` learns sound beside the names of the classes, predicts them
by their names alone, and embeds libraries that `mu search` finds recordings in.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg

WITHOUT_LABELS = {
    "masked": "mu.tasks.masked:MaskedSpectrogram",
    "tokens": "mu.tasks.masked_tokens:MaskedTokens",
    "joint_embedding": "mu.tasks.joint_embedding:JointEmbedding",
}


def get_config(arg: str | None = None) -> ConfigDict:
    tasks = ("labels", "contrastive", "text", *WITHOUT_LABELS)
    args = parse_arg(arg, smoke=False, fold=0, seed=0, refit=True, task=tasks)
    config = base()
    config.seed = args.seed
    config.data = {
        "name": "mu.data.clips.clips:load",
        "path": "data/esc10",
        "sample_rate_hz": 32000,
        "classes": ("class",),
    }
    config.split = {
        "name": "mu.data.clips.folds:by_column",
        "column_name": "fold",
        "fold": args.fold,
        "group": "freesound_clip_id",  # the recording that a clip was cut from
    }
    config.batches = {"name": "mu.data.batches.clips:ClipBatches", "clips_per_batch": 32, "crop_s": 5.0}
    config.model = {
        "name": "mu.models.audio_encoder:AudioEncoder",
        "window_s": 0.032,
        "hop_s": 0.02,
        "n_mels": 64,
        "fmin_hz": 40.0,
        "normalisation": "none",
    }
    augment = {
        "name": "mu.tasks.augmentations:Augmentations",
        "shift_s": 2.5,
    }
    config.task = {"name": "mu.tasks.clip_targets:ClipTargets", "augment": augment, "mixup_alpha": 0.4}
    metric = "valid/clips/class/accuracy" if args.task in ("labels", "text") else "valid/negative_loss"
    config.best = {"metric": metric, "patience": None}
    if args.task == "contrastive":
        # Differences in spite of which two crops must be recognised as one clip's.
        augment.update(
            speed=(0.8, 1.25), equalize_db=(-9.0, 9.0), gain_db=(-12.0, 0.0), time_masks=1, frequency_masks=1
        )
        config.task = {"name": "mu.tasks.contrastive:Contrastive", "augment": augment}
        config.batches.update(crops=2, crop_s=2.0)
    if args.task == "text":
        config.data["texts"] = ("class",)
        config.task = {"name": "mu.tasks.audio_text:AudioText", "augment": augment}
    if args.task in WITHOUT_LABELS:
        config.task = {"name": WITHOUT_LABELS[args.task]}
    config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 2e-3, "weight_decay": 0.05}
    config.clip_norm = 1.0
    config.ema_decay = 0.99
    config.evals = {"clips": {"name": "mu.evals.protocols.clips:ClipPrediction", "group": "freesound_clip_id"}}
    config.recommender = {"name": "mu.inference.clips:ClipPredictor"}
    config.baselines = {"mfcc_linear": {"name": "mu.baselines.mfcc:MFCCLinear"}}
    config.refit = args.refit and not args.smoke
    config.total_steps = 20 if args.smoke else 800
    config.evaluate_every_steps = 10 if args.smoke else 200
    config.log_every_steps = 50
    return config
