"""The spaces that are searched where none is named: a start for models and baselines of mu, on any log."""

from mu.config.base import DENSE, Config, ConfigError
from mu.config.resolve import takes

SPACES_OF_BASELINES = {
    "mu.baselines.item_knn:ItemKNN": "neighbours=20|50|100|200|500;history_decay=uniform(0.2,1)",
    "mu.baselines.sequential_rules:SequentialRules": "window=5|10|20;history=inverse|quadratic|exponential;"
    "successors=50|100|200",
    "mu.baselines.pctm:PCTM": "tau=log(100,100000);history_decay=uniform(0.3,1);counts_decay=uniform(0,1.5);"
    "popularity_weight=uniform(-0.3,0.3)",
    "mu.baselines.ease:EASE": "l2=log(10,5000)",
    "mu.baselines.rp3beta:RP3beta": "alpha=uniform(0.3,1);beta=uniform(0,0.8)",
    "mu.baselines.ials:IALS": "l2=log(0.0003,0.03);unobserved_weight=log(0.01,1);regularisation_exponent=uniform(0,1)",
}
"""Class -> what is searched of its options."""
_SEQUENCE = "model.dim=32|64|128|256;model.layers=1|2;model.dropout=uniform(0.1,0.6)"
SPACES_OF_MODELS = {
    "mu.models.sasrec:SASRec": _SEQUENCE,
    "mu.models.hstu:HSTU": _SEQUENCE,
    "mu.models.gru4rec:GRU4Rec": "model.dim=32|64|128|256;model.dropout=uniform(0.1,0.6)",
    "mu.models.factorization:Factorization": "model.dim=32|64|128|256",
    "mu.models.lightgcn:LightGCN": "model.dim=32|64|128;model.layers=1|2|3;model.gamma=uniform(0,0.5)",
    "mu.models.audio_user:AudioUser": "model.dim=32|64|128;model.dropout=uniform(0.1,0.6);"
    "model.drop_id=uniform(0.1,0.6)",
}
"""Class -> what is searched of the keys of a config, beside its rates."""
OF_TABLES_ALONE = ("mu.models.factorization:Factorization",)
"""Classes without parameters beside their tables."""
RATE_FACTOR = 4.0
"""Learning rates are searched from a quarter of the config's to so many times it."""


def space_of_baseline(baseline: str) -> str:
    """The default space of a baseline, 'package.module:Class'.

    Raises:
      ConfigError: it has none.
    """
    return _space(baseline, SPACES_OF_BASELINES)


def space_of_config(config: Config) -> str:
    """The default space of a resolved config: of its model, of neighbours, and learning rates around the config's.

    A rate that is a schedule stays as it is.

    Raises:
      ConfigError: its model has none.
    """
    parts = [_space(config.model.name, SPACES_OF_MODELS)]
    if takes(config.batches, "neighbours") and takes(config.model, "inputs"):
        parts.append("batches.neighbours=0|4|8|16")
    rated = ["tables"] if config.tables.name != DENSE else []
    if not (rated and config.model.name in OF_TABLES_ALONE):
        rated.insert(0, "optimizer")
    for key in rated:
        rate = config[key].get("learning_rate")
        if isinstance(rate, float):
            parts.append(f"{key}.learning_rate=log({rate / RATE_FACTOR:g},{rate * RATE_FACTOR:g})")
    return ";".join(parts)


def _space(name: str, spaces: dict[str, str]) -> str:
    if name not in spaces:
        raise ConfigError(f"{name} has no default space: give --over; those that have one are {', '.join(spaces)}")
    return spaces[name]
