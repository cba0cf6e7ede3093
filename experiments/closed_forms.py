"""Neighbours, counts, closed forms and factors as the rungs of a ladder: the widest bar for a trained model.

    mu ladder LOG --config=experiments/closed_forms.py --output=ladders/plays
    mu ladder LOG --config=experiments/closed_forms.py --output=ladders/plays --tune=24

Sources and equations are in the docstrings of mu/baselines. Takes seconds to minutes, by the size of the log. Results
on public logs are in docs/results/ladder.md.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False)
    config = base()
    config.total_steps = 20 if args.smoke else 1000  # of the default model, where `mu train` is given this config
    config.refit = True
    with config.ignore_type():
        config.baselines = {
            **config.baselines.to_dict(),
            "user_knn": {"name": "mu.baselines.user_knn:UserKNN"},
            "rp3beta": {"name": "mu.baselines.rp3beta:RP3beta"},
            "gf_cf": {"name": "mu.baselines.gf_cf:GFCF"},
            "ials": {"name": "mu.baselines.ials:IALS"},
            "bpr": {"name": "mu.baselines.bpr:BPR"},
        }
    return config
