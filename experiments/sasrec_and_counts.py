"""SASRec by the full softmax, PCTM and EASE in one score: one config for any log of plays.

    mu import PLAYS.csv --output=data/plays
    mu train --config=experiments/sasrec_and_counts.py --config.data.path=data/plays --workdir=runs/plays

The steps are chosen on validation, and so are the weights of the three in the row `mixture`; then all but the test is
learnt anew. `mu sweep` with this config chooses width, layers, dropout and rates for a log. The full softmax goes over
all tracks for each play: beyond some ten thousand, sampled negatives are quicker (docs/models.md).

    mu train --config=experiments/sasrec_and_counts.py:columns=artist+genre --config.data.path=data/plays

reads columns of the table of tracks (`mu import --track_table`) as features of tracks.
Results on public logs: docs/results/trained.md.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False, seed=0, dim=64, columns="")
    config = base()
    config.seed = args.seed
    config.data.path = "data/plays"
    config.batches.update(window=50, rows=20, negatives=0, neighbours=8)
    config.model.update(dim=args.dim, layers=1, heads=1, window=50, dropout=0.2)
    config.task.loss = "full_softmax"
    config.tables = {"name": "dense"}
    if args.columns:
        columns = tuple(args.columns.split("+"))
        config.data = {
            "name": "mu.data.listening.listening:load",
            "path": config.data.path,
            "item_columns": columns,
        }
        config.batches.track_features = True
    config.refit = "chosen"
    config.mixture = ("pctm", "ease")
    config.best.patience = 4
    config.total_steps = 40 if args.smoke else 6000
    config.evaluate_every_steps = config.checkpoint_every_steps = 20 if args.smoke else 100
    return config
