"""Sound and listeners of a simulated music world in one model: the run of `mu quickstart`, and a config to start from.

The log is cut by two dates: what was played before the first is learnt, what came between is for choosing, what came
after is the test, and in it tracks that nobody could have played before. The world knows the law of all this, so its
oracle is a reference.

  mu quickstart
  mu train --config=quickstart/config.py:folder=quickstart --workdir=quickstart/wide --config.model.dim=128
  mu train --config=quickstart/config.py:folder=quickstart,parts=id --workdir=quickstart/id
"""

from mu.config.base import Config, base, parse_arg


def get_config(arg: str | None = None):
    """Arguments: `folder` holds world/ and log/; `size` is the world's: tiny is a smoke test; `seed` of the run;
    `parts`: what tracks are known by, 'all', or 'id': their own rows alone, which is SASRec."""
    args = parse_arg(arg, folder="quickstart", size="small", seed=0, parts=("all", "id"))
    tiny = args.size == "tiny"
    config = base()
    config.seed = args.seed
    parts = "Sound and listeners" if args.parts == "all" else "Listeners by the ids of their tracks"
    config.title = f"{parts} of a simulated music world"
    config.data = {"name": "mu.world.dataset:load", "path": f"{args.folder}/log", "world": f"{args.folder}/world"}
    config.split = {"name": "mu.data.logs.splits:global_temporal", "valid_share": 0.1, "test_share": 0.15}
    if args.parts == "all":
        hybrid(config, tiny)
    else:
        sasrec(config, tiny)
    config.clip_norm = 1.0
    config.evals = {"plays": {"name": "mu.evals.protocols.plays:PlayRanking"}}
    config.best = {"metric": "valid/plays/discovery/recall@20", "patience": None}
    config.evaluate_every_steps = config.checkpoint_every_steps = config.total_steps // (2 if tiny else 4)
    config.log_every_steps = 10 if tiny else 50
    config.baselines.update(  # beside the ladder
        random={"name": "mu.baselines.simple:Random"},
        artist_popularity={"name": "mu.baselines.simple:GroupPopularity"},
        oracle={
            "name": "mu.world.oracle:oracle_of",
            "world": f"{args.folder}/world",
            "log": f"{args.folder}/log",
        },
    )
    return config


def hybrid(config: Config, tiny: bool) -> None:
    """A two-tower model: tracks by their ids, audio and hashed features, users by their plays."""
    config.batches = {
        "name": "mu.data.batches.listening:ListeningBatches",
        "window": 50,
        "rows": 8 if tiny else 32,
        "negatives": 64 if tiny else 256,
        "horizon": 10,
        "clips": 8 if tiny else 32,
        "clips_every": 4,
        "crop_s": 4.0,
    }
    config.model = {
        "name": "mu.models.audio_user:AudioUser",
        "audio": {"size": "xs", "n_mels": 64, "window_s": 0.032, "hop_s": 0.02, "normalisation": "none"},
        "drop_id": 0.5,
        "scale": 0.3,
    }
    config.task = {"name": "mu.tasks.next_play:NextPlay", "tags": 0.5}
    config.recommender = {"name": "mu.inference.time_aware:TimeAwareRecommender"}
    config.policy = {"name": "mu.inference.policy:new_release_boost", "metric": "plays/discovery/recall@20"}
    config.total_steps = 20 if tiny else 800
    learning_rates(config, 2e-3, 4e-3)


def sasrec(config: Config, tiny: bool) -> None:
    """SASRec: tracks by their ids alone, plays by their order alone."""
    config.data.update(sound=False, item_columns=(), user_columns=(), tags=None)
    config.batches.update(window=50, rows=8 if tiny else 32, negatives=64 if tiny else 256, negatives_per="row")
    config.model.update(dim=64, layers=1, heads=1, window=50, dropout=0.2, scale=0.3)
    config.total_steps = 20 if tiny else 1000
    learning_rates(config, 3e-3, 6e-3)


def learning_rates(config: Config, dense: float, tables: float) -> None:
    """Learning rates of model and tables that fall to 0 as a cosine."""
    for part, rate in (("optimizer", dense), ("tables", tables)):
        schedule = {"name": "optax:cosine_decay_schedule", "init_value": rate, "decay_steps": config.total_steps}
        config[part] = {"name": config[part].name, "learning_rate": schedule}
