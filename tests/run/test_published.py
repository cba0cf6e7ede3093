"""Published rows of a config: those of metrics that nothing measures are said."""

from mu.config.base import base
from mu.config.resolve import resolve
from mu.run.usage import unmeasured_published

MEASURED = ["ranking/recall@10", "plays/day 0/recall@20"]
ROWS = {"SASRec": {"recall@10": 0.1, "day 0/recall@20": 0.2}}


def unmeasured(rows):
    config = base()
    config.data.path = "log"
    with config.ignore_type():
        config.published = rows
    return unmeasured_published(resolve(config), MEASURED)


def test_published_metrics_that_nothing_measures_are_said():
    assert unmeasured(None) is None and unmeasured(ROWS) is None
    assert unmeasured({**ROWS, "BPR": {"recal@10": 0.3}}) == (
        "config.published: nothing measures 'recal@10' of 'BPR' (did you mean 'recall@10'?); "
        "there is: recall@10, recall@20; no page shows it."
    )
