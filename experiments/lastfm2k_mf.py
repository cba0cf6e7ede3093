"""Factorisation on HetRec 2011 Last.fm-2K: 1,892 listeners, 17,632 artists, 92,834 listening counts.

Source of the data: GroupLens, hetrec2011-lastfm-2k (non-commercial use). Protocol of RecBole-GNN's table
(random 8:1:1 by listener, whole catalogue ranked, earlier plays masked): BPR recall@10 .1761, LightGCN .2064.

    mu import user_artists.dat --format=tsv --user=userID --track=artistID --weight=weight \\
        --track_table=artists.dat --track_key=id --title=name --output=data/lastfm2k
    mu train --config=experiments/lastfm2k_mf.py --workdir=runs/lastfm2k
    mu train --config=experiments/lastfm2k_mf.py:weights=log --workdir=runs/lastfm2k_log    the listening counts, too

The protocol knows no counts: a pair is a target whether it was played once or a thousand times, and `weights=none`, the
default, learns the same. With `weights=log` (or linear) losses and baselines count them; the targets stay as they are.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False, weights=("none", "log", "linear"))
    config = base()
    config.published = {
        "BPR, RecBole-GNN's own split": {"recall@10": 0.1761},
        "LightGCN, RecBole-GNN's own split": {"recall@10": 0.2064},
    }
    config.data.path = "data/lastfm2k"
    config.split = {"name": "mu.data.logs.splits:random_by_ratio", "valid": 0.1, "test": 0.1, "seed": 0}
    pairs = {"pairs": 2048, "negatives": 64, "weights": args.weights}
    config.batches = {"name": "mu.data.batches.pairs:PairBatches", **pairs}
    for name in ("popularity", "item_knn", "ease"):  # the others count plays
        config.baselines[name].weights = args.weights
    config.model = {"name": "mu.models.factorization:Factorization", "dim": 64, "temperature": 0.15}
    config.task.correct_log_q = False
    config.tables.learning_rate = 1e-2
    config.best.update(metric="valid/ranking/ndcg@10", patience=3)
    config.total_steps = 20 if args.smoke else 2000
    config.evaluate_every_steps = 10 if args.smoke else 180
    return config
