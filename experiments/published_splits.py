"""Factorisation or LightGCN++ on three published splits, beside closed forms and in one score with them.

Source of the splits: github geon0325/LightGCNpp, data/lastfm (1,885 listeners, 17,388 artists) and data/ml-1m, and
gusye1234/LightGCN-PyTorch, data/gowalla. Their protocol: chosen on validation NDCG@20, the test ranks all items and
masks those of training alone. Gowalla has no validation part: a tenth of each user's training plays chooses, then the
whole training part is learnt.

    mu import --format=lists --train train.txt --valid valid.txt --test test.txt --output=data/lastfm
    mu train --config=experiments/published_splits.py --workdir=runs/lastfm_mixture
    mu train --config=experiments/published_splits.py:model=lightgcn --workdir=runs/lastfm_lightgcn
    mu import --format=lists --train train.txt --valid valid.txt --test test.txt --output=data/ml-1m
    mu train --config=experiments/published_splits.py:data=ml-1m --workdir=runs/ml-1m_mixture
    mu import --format=lists --train train.txt --test test.txt --output=data/gowalla
    mu train --config=experiments/published_splits.py:data=gowalla --workdir=runs/gowalla_mixture

Both models have cosine scores and a sampled softmax, where the paper of LightGCN++ has dot products and BPR.
Its exponents are those of the paper (run.sh of its repository), and so is gamma but on ml-1m, where the paper has 0.
`mixture` adds closed forms to the scores, with weights chosen on validation; its members stand beside it. Results:
docs/results/trained.md.
"""

import dataclasses
from typing import Any

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


@dataclasses.dataclass(frozen=True)
class PublishedSplit:
    """A split, what was published on it, and how it is learnt.

    Attributes:
      rows: name -> metric -> value.
      pairs: of a batch, of factorisation and of LightGCN++.
      steps: the most of factorisation, and those of LightGCN++.
      exponents: alpha and beta of LightGCN++.
      mixture: the closed forms.
    """

    rows: dict[str, dict[str, float]]
    pairs: tuple[int, int]
    steps: tuple[int, int]
    exponents: tuple[float, float]
    mixture: dict[str, dict[str, Any]]


IALS: dict[str, Any] = {"name": "mu.baselines.ials:IALS"}
BSPM: dict[str, Any] = {"name": "mu.baselines.gf_cf:GFCF", "alpha": 0.2, "sharpening": 1.0}
SPLITS = {
    "lastfm": PublishedSplit(
        {
            "LightGCN": {"recall@10": 0.1741, "ndcg@10": 0.1996},
            "LightGCN++": {"recall@10": 0.1889, "ndcg@10": 0.2171},
            "NCL++": {"recall@10": 0.1894, "ndcg@10": 0.2177},
        },
        pairs=(2048, 2048),
        steps=(2480, 640),
        exponents=(0.6, -0.1),
        mixture={"ials": IALS, "bspm": BSPM},
    ),
    "ml-1m": PublishedSplit(
        {
            "LightGCN": {"recall@10": 0.1495, "ndcg@10": 0.2977},
            "LightGCN++": {"recall@10": 0.1667, "ndcg@10": 0.3243},
        },
        pairs=(4096, 8192),
        steps=(2900, 480),
        exponents=(0.5, 0.0),
        mixture={
            # As the ladder chose them on the validation part (docs/results/ladder.md).
            "ease": {"name": "mu.baselines.ease:EASE", "l2": 814.8},
            "ials": {**IALS, "l2": 0.008839, "unobserved_weight": 0.3286, "regularisation_exponent": 0.5196},
            "bspm": BSPM,
        },
    ),
    "gowalla": PublishedSplit(
        {
            "LightGCN": {"recall@20": 0.1830, "ndcg@20": 0.1554},
            "UltraGCN": {"recall@20": 0.1862, "ndcg@20": 0.1580},
        },
        pairs=(4096, 16_384),
        steps=(4000, 300),
        exponents=(0.6, -0.1),
        mixture={"bspm": {**BSPM, "vectors": 448, "sharpening": 2.5, "sharpening_order": 4}},  # as published
    ),
}


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, data=tuple(SPLITS), model=("mf", "lightgcn"), smoke=False, seed=0)
    split, is_graph = SPLITS[args.data], args.model == "lightgcn"
    config = base()
    config.seed = args.seed
    config.published = split.rows
    config.data.path = f"data/{args.data}"
    parts: dict[str, Any] = {"name": "mu.data.logs.splits:predefined"}
    batches: dict[str, Any] = {"name": "mu.data.batches.pairs:PairBatches", "pairs": split.pairs[is_graph]}
    config.evals.ranking.ks = (10, 20, 40)
    config.best.metric = "valid/ranking/ndcg@20"
    if is_graph:
        batches |= {"graph": True, "negatives": 1024, "negatives_per": "batch", "popular_negatives": 0.5}
        alpha, beta = split.exponents
        config.model = {
            "name": "mu.models.lightgcn:LightGCN",
            "layers": 2,
            "alpha": alpha,
            "beta": beta,
            "gamma": 0.2,
            "normalise": True,
            "cosine": True,
            "temperature": 0.15,
        }
        config.tables = {"name": "dense"}
        config.optimizer = {"name": "mu.training.optim:adamw_cosine", "learning_rate": 2e-2}
    else:
        batches |= {"negatives": 64}
        config.model = {"name": "mu.models.factorization:Factorization", "dim": 64, "temperature": 0.15}
        config.task.correct_log_q = False
        config.tables.learning_rate = 1e-2
        config.best.patience = 3
    if args.data == "gowalla":
        parts |= {"valid_share": 0.1}
        config.refit = "chosen"
    else:
        config.evals.ranking.update(test_sees_valid=False, test_masks_valid=False)
    config.split, config.batches = parts, batches
    config.total_steps = 20 if args.smoke else split.steps[is_graph]
    config.evaluate_every_steps = config.total_steps // (2 if args.smoke else 5 if is_graph else 16)
    config.log_every_steps = 20
    with config.ignore_type():
        config.baselines = {"popularity": config.baselines.popularity.to_dict(), **split.mixture}
        config.mixture = tuple(split.mixture)
    return config
