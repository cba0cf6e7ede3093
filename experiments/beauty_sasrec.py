"""SASRec on Amazon Beauty.  (lab note to come)"""

from mu.config import base, parse_arg


def get_config(arg: str | None = None):
    args = parse_arg(arg, smoke=False, loss="sampled_softmax")
    config = base()
    config.data.path = "data/beauty"
    config.batches.update(window=50, rows=20, negatives=256)
    config.model.update(dim=64, layers=1, heads=1, window=50, dropout=0.2)
    config.task.update(loss="sampled_softmax", correct_log_q=False)
    config.total_steps = 40 if args.smoke else 3000
    config.evaluate_every_steps = 20 if args.smoke else 500
    config.log_every_steps = 10
    return config
