"""Factorisation on lightgcnpp_lastfm. (lab note to come)"""

from mu.config import base, parse_arg


def get_config(arg: str | None = None):
    args = parse_arg(arg, smoke=False)
    config = base()
    config.data.path = "data/lastfm"
    config.split = {"name": "mu.data.splits:given"}
    config.batches = {"name": "mu.data.pairs:PairBatches", "pairs": 2048, "negatives": 128}
    config.model = {"name": "mu.models.factorization:Factorization", "dim": 64, "temperature": 0.15}
    config.task.update(loss="sampled_softmax", correct_log_q=False)
    config.evaluation.update(test_sees_valid=False, test_masks_valid=False, ks=(10, 20, 40))
    config.best.update(metric="valid/ndcg@20", patience=5)
    config.total_steps = 20 if args.smoke else 3000
    config.evaluate_every_steps = 10 if args.smoke else 155
    config.log_every_steps = 31
    return config
