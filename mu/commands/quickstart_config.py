"""SASRec on the log of a simulated music world: the run of `mu quickstart`, and a config to start from.

What comes next among the tracks that a listener has never played: leave-one-out over first plays, the whole
catalogue ranked. Leave-one-out, because the world knows the law of the very next play, so its oracle is a reference;
`mu.data.splits:global_temporal` is the one to take where it matters that nothing is learnt from the future.

Steps, rates and ItemKNN's recency were chosen on validation of an earlier law of that world, where 1,024 negatives,
twice the width and more dropout gave no more. Validation now, size small, seed 0: NDCG@10 .122 after 3,000 steps, .110
after 1,000 (ItemKNN with decay 0.5: .090, with 1: .057; popularity: .033).

  mu quickstart
  mu train --config=quickstart/config.py:folder=quickstart --workdir=quickstart/wide --config.model.dim=128
"""

from mu.config import base, parse_arg


def get_config(arg: str | None = None):
    """Arguments: `folder` holds world/ and log/; `size` is the world's: tiny is a smoke test; `seed` of the run."""
    args = parse_arg(arg, folder="quickstart", size="small", seed=0)
    tiny = args.size == "tiny"
    config = base()
    config.seed = args.seed
    config.data.path = f"{args.folder}/log"
    # All positions of a row share their negatives: a matrix product, several times as fast on a CPU as a gather.
    config.batches.update(window=50, rows=16 if tiny else 32, negatives=256, negatives_per="row")
    config.model.update(dim=64, layers=1, heads=1, window=50, dropout=0.2, scale=0.1)
    config.total_steps = 60 if tiny else 3000
    for part, rate in (("optimizer", 3e-3), ("tables", 6e-3)):
        schedule = {"name": "optax:cosine_decay_schedule", "init_value": rate, "decay_steps": config.total_steps}
        config[part] = {"name": config[part].name, "learning_rate": schedule}
    config.evaluate_every_steps = 30 if tiny else 500
    config.checkpoint_every_steps = 30 if tiny else 500
    config.log_every_steps = 10 if tiny else 50
    config.evaluation.update(metrics=("hr", "ndcg"), ks=(10,))
    config.baselines.item_knn.history_decay = 0.5
    config.baselines.oracle = {
        "name": "mu.world.oracle:oracle_of",
        "world": f"{args.folder}/world",
        "log": f"{args.folder}/log",
    }
    return config
