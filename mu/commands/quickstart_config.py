"""Sound and listeners of a simulated music world in one model: the run of `mu quickstart`, and a config to start from.

The log is cut by two dates: what was played before the first is learnt, what came between is for choosing, what came
after is the test, and in it tracks that nobody could have played before. The world knows the law of all this, so its
oracle is a reference.

  mu quickstart
  mu train --config=quickstart/config.py:folder=quickstart --workdir=quickstart/wide --config.model.dim=128
  mu train --config=quickstart/config.py:folder=quickstart,parts=id --workdir=quickstart/id
"""

from mu.config import base, parse_arg


def get_config(arg: str | None = None):
    """Arguments: `folder` holds world/ and log/; `size` is the world's: tiny is a smoke test; `seed` of the run;
    `parts`: what tracks are known by, 'all' or 'id' (their own rows alone, as a user model without audio has them)."""
    args = parse_arg(arg, folder="quickstart", size="small", seed=0, parts=("all", "id"))
    tiny = args.size == "tiny"
    hears = args.parts == "all"
    config = base()
    config.seed = args.seed
    config.data = {
        "name": "mu.world.dataset:load",
        "path": f"{args.folder}/log",
        "world": f"{args.folder}/world",
        "sound": hears,
    }
    if not hears:
        config.data.update(track_words=(), tags=None)
    config.split = {"name": "mu.data.splits:global_temporal", "valid_share": 0.1, "test_share": 0.15}
    config.batches = {
        "name": "mu.data.listening_batches:ListeningBatches",
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
        "audio": {"size": "xs", "n_mels": 64, "window_s": 0.032, "hop_s": 0.02, "normalisation": "none"}
        if hears
        else None,
        "drop_id": 0.5 if hears else 0.0,
    }
    config.task = {"name": "mu.tasks.next_play:NextPlay", "tags": 0.5 if hears else 0.0}
    config.total_steps = 20 if tiny else 800
    for part, rate in (("optimizer", 2e-3), ("tables", 4e-3)):
        schedule = {"name": "optax:cosine_decay_schedule", "init_value": rate, "decay_steps": config.total_steps}
        config[part] = {"name": config[part].name, "learning_rate": schedule}
    config.clip_norm = 1.0
    config.evaluation = {"name": "mu.measuring.plays:PlayScores"}
    config.best = {"metric": "valid/discovery/recall@20", "patience": None}
    config.evaluate_every_steps = config.checkpoint_every_steps = 10 if tiny else 200
    config.log_every_steps = 10 if tiny else 50
    config.baselines = {
        "random": {"name": "mu.baselines.simple:Random"},
        "popularity": {"name": "mu.baselines.popularity:Popularity"},
        "artist_popularity": {"name": "mu.baselines.simple:GroupPopularity"},
        "item_knn": {"name": "mu.baselines.item_knn:ItemKNN"},
        "oracle": {
            "name": "mu.world.oracle:oracle_of",
            "world": f"{args.folder}/world",
            "log": f"{args.folder}/log",
        },
    }
    return config
