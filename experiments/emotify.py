"""Genre and induced emotion of 400 tracks (Emotify: 60 s each, 4 genres), 10 folds by track, from scratch.

Source: Aljanaki, Wiering & Veltkamp, "Studying emotion induced by music through a crowdsourcing game", IP&M 2015.
Published for genre, 10 folds (a student report): SVM .478, CNN on MFCCs .60, features of a pre-trained MusiCNN .83.
On the validation fold, nine others trained on, one seed: 400 steps .765, 300 .745; mixup .725 against .775 without (two
folds); crops of 4 s in batches of 64 .70 against .775 (one fold).

Genre, 3 seeds: .765 [.727, .801] (MFCC statistics and a linear model .682), ROC-AUC .926; the pre-trained network's .83
is not reached from scratch. Emotions, mean correlation of nine: .540 [.510, .572] (.445), R^2 .300 (.205). A run takes
2 minutes of one CPU core; docs/results/audio.md has every fold.

    mu import-audio emotify/tracks.csv --root=emotify --output=data/emotify --store --store_rate_hz=16000
    mu crossvalidate --config=experiments/emotify.py --folds=10 --seeds=0,1,2 --workdir=runs/emotify
    mu crossvalidate --config=experiments/emotify.py:target=emotion --folds=10 --workdir=runs/emotify_emotion
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
    args = parse_arg(arg, smoke=False, fold=0, seed=0, refit=True, target=("genre", "emotion"))
    config = base()
    config.seed = args.seed
    config.data = {"name": "mu.data.clips.clips:load", "path": "data/emotify", "sample_rate_hz": 16000}
    config.data.update({"classes": ("genre",)} if args.target == "genre" else {"numbers": EMOTIONS})
    config.split = {"name": "mu.data.clips.folds:by_hash", "n_folds": 10, "fold": args.fold, "stratify": "genre"}
    config.batches = {"name": "mu.data.batches.clips:ClipBatches", "clips_per_batch": 32, "crop_s": 10.0}
    config.model = {
        "name": "mu.models.audio_encoder:AudioEncoder",
        "window_s": 0.064,
        "hop_s": 0.04,
        "n_mels": 64,
        "fmin_hz": 30.0,
        "normalisation": "none",
        "dropout": 0.3,
    }
    config.task = {"name": "mu.tasks.clip_targets:ClipTargets"}
    config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 2e-3, "weight_decay": 0.05}
    config.clip_norm = 1.0
    config.ema_decay = 0.99
    config.evals = {"clips": {"name": "mu.evals.protocols.clips:ClipPrediction"}}
    config.recommender = {"name": "mu.inference.clips:ClipPredictor"}
    metric = "genre/accuracy" if args.target == "genre" else "numbers/pearson"
    config.best = {"metric": f"valid/{metric}", "patience": None}
    config.baselines = {"mfcc_linear": {"name": "mu.baselines.mfcc:MFCCLinear"}}
    config.refit = args.refit and not args.smoke
    config.total_steps = 20 if args.smoke else 400
    config.evaluate_every_steps = 10 if args.smoke else 100
    config.log_every_steps = 50
    return config
