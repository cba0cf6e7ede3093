"""Factorisation on Coat: 290 listeners' ratings of coats that they chose, tested on 16 that were drawn for each.

Source of the data: Schnabel et al. 2016, https://www.cs.cornell.edu/~schnabts/mnar/ (research use): train.ascii and
test.ascii, matrices of 290 x 300 ratings from 1 to 5, 0 where there is none. As tables of user, item and rating:

    for part in train test; do awk -v OFS=, 'BEGIN {print "user", "item", "rating"}
        {for (i = 1; i <= NF; i++) if ($i + 0 > 0) print NR, i, $i + 0}' $part.ascii > $part.csv; done

There is no validation part, so the run is a refit: its steps are chosen beforehand. Ratings from 4 on are the examples;
the tracks that a listener rated in the test are ranked among each other, and `RatingBiases` predicts their ratings.

    mu import --train train.csv --test test.csv --output=data/coat
    mu train --config=experiments/coat_rated.py --workdir=runs/coat

Its widths, rates and steps were not tuned, and the model stays behind: AUC / NDCG@5 of 225 listeners .587 / .542 (seed
0, 20 s on 2 cores), ItemKNN .628 / .573, popularity .640 / .559, biases .662 / .582 with an RMSE of 1.141. 366
test ratings are of coats that the listener has rated in training: left out.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    args = parse_arg(arg, smoke=False, seed=0)
    config = base()
    config.seed = args.seed
    config.data.path = "data/coat"
    config.split = {"name": "mu.data.logs.splits:predefined"}
    config.refit = True
    config.batches = {"name": "mu.data.batches.pairs:PairBatches", "pairs": 256, "negatives": 32, "weights": ">=4"}
    config.model = {"name": "mu.models.factorization:Factorization", "dim": 16, "temperature": 0.15}
    config.task.correct_log_q = False
    config.tables.learning_rate = 1e-2
    rated = {"name": "mu.evals.protocols.rated_candidates:RatedCandidates", "threshold": 4.0, "ks": (5,)}
    config.evals = {"rated": rated}
    config.baselines = {
        "biases": {"name": "mu.baselines.rating_biases:RatingBiases"},
        "popularity": {"name": "mu.baselines.popularity:Popularity", "weights": ">=4"},
        "item_knn": {"name": "mu.baselines.item_knn:ItemKNN", "weights": ">=4"},
    }
    config.total_steps = 20 if args.smoke else 100
    return config
