"""An id space of a user's own: data that know artists, batches that name them, a model with a row for each."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from mu.config.resolve import build
from mu.data.batches.base import with_local_ids
from mu.data.batches.histories import HistoryBatches
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions, load
from mu.models.sasrec import SASRec
from mu.nn.table import Table
from mu.run.build import build_run
from mu.run.evaluation import model_of
from mu.run.initialise import initialise
from mu.run.rebuild import rebuild
from mu.run.restore import open_run
from mu.training.sharding import put_batch
from mu.training.state import weights
from tests.helpers.tiny_runs import one_device, tiny_config, train, weights_of, write_log

HERE = "tests.run.test_id_spaces"
N_ARTISTS = 7
"""Five have tracks; the last two have none, and no batch names them."""
UNNAMED = [5, 6]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ArtistLog(Interactions):
    """A log whose tracks have an artist: track t is by artist t modulo 5, as `write_log` writes it."""

    @property
    def sizes(self):
        return {**super().sizes, "artists": N_ARTISTS}


def load_artists(path: str) -> ArtistLog:
    log = load(path)
    return ArtistLog(**{field.name: getattr(log, field.name) for field in dataclasses.fields(log) if field.init})


def artists_of(log: Interactions) -> np.ndarray:
    """int32 [V]: the artist of each track."""
    names = log.tracks["artist"].list.first() if log.tracks["artist"].dtype.is_nested() else log.tracks["artist"]
    return np.array([int(name.split()[-1]) for name in names], np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class ArtistFeatures(HistoryFeatures):
    """Histories with the artist of each play."""

    artists: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))

    def inputs(self, users, histories):
        inputs = super().inputs(users, histories)
        return {**inputs, "artists": self.artists[inputs["items"]]}

    def save(self, folder):
        super().save(folder)
        np.save(folder / "artists.npy", self.artists)

    @classmethod
    def load(cls, folder):
        return dataclasses.replace(super().load(folder), artists=np.load(folder / "artists.npy"))


class ArtistBatches(HistoryBatches):
    """Histories with the artist of each play; in sparse runs the batch's distinct artists are in `ids`."""

    def __init__(self, log: ArtistLog, *, window: int, rows: int, negatives: int, sparse: bool, seed: int):
        super().__init__(log, window=window, rows=rows, negatives=negatives, threads=1, sparse=sparse, seed=seed)
        self._artists, self._local = artists_of(log), sparse
        self.features = ArtistFeatures(window=window, artists=self._artists)

    def batch(self, examples, step):
        batch = super().batch(examples, step)
        tracks = batch["ids"]["items"][batch["items"]] if self._local else batch["items"]
        batch["artists"] = self._artists[tracks]
        if not self._local:
            return batch
        ids = batch.pop("ids")
        batch = with_local_ids(batch, {"artists": (["artists"], N_ARTISTS)})
        return {**batch, "ids": {**ids, **batch["ids"]}}


class ArtistSASRec(SASRec):
    """SASRec whose plays are known by their artists, too."""

    def __init__(self, *, dim: int, layers: int, heads: int, window: int, dropout: float, rngs: nnx.Rngs):
        super().__init__(dim=dim, layers=layers, heads=heads, window=window, dropout=dropout, rngs=rngs)

    def tables(self):
        return {**super().tables(), "artists": Table(ids="artists", dim=self.dim, scale=0.02)}

    def __call__(self, rows, batch, key=None):
        # What a play is known by: the sum of its track's and its artist's rows.
        n_tracks, n_artists = len(rows["items"]), len(rows["artists"])
        pairs = (rows["items"][:, None] + rows["artists"][None]).reshape(n_tracks * n_artists, self.dim)
        return super().__call__(
            {"items": pairs}, {**batch, "items": batch["items"] * n_artists + batch["artists"]}, key
        )


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


def artist_config(log, tables):
    changes = {
        "data": {"name": f"{HERE}:load_artists", "path": str(log)},
        "batches": {"name": f"{HERE}:ArtistBatches", "window": 8, "rows": 8, "negatives": 4},
        "model": {"name": f"{HERE}:ArtistSASRec", "dim": 8, "layers": 1, "heads": 2, "window": 8, "dropout": 0.0},
    }
    if tables == "dense":
        changes["tables"] = {"name": "dense"}
    return tiny_config(log, **changes)


@pytest.mark.parametrize("tables", ["sparse", "dense"])
def test_a_table_of_artists_learns(log, tables):
    run = build_run(artist_config(log, tables), one_device())
    state = initialise(run)

    def artists(state):
        table = state["tables"]["artists"]["rows"] if tables == "sparse" else state["params"]["tables"]["artists"]
        return np.asarray(table)

    before = artists(state)
    assert before.shape == (N_ARTISTS, 8)
    named = set()
    for number in range(3):
        batch = run.batches.batch(np.arange(2) + number, number)
        if tables == "sparse":
            named |= set(batch["ids"]["artists"][: len(np.unique(batch["artists"]))].tolist())
        else:
            named |= set(np.unique(batch["artists"]).tolist())
        state, metrics = run.step(state, put_batch(batch, run.mesh))
        assert np.isfinite(metrics["loss"])
    changed = set(np.flatnonzero((artists(state) != before).any(axis=1)).tolist())
    assert named and not named & set(UNNAMED)
    assert changed == named


def test_a_whole_run_with_artists(log, tmp_path):
    """Trained, evaluated, restored and opened; rows of artists without tracks are as they were at the start."""
    config = artist_config(log, "sparse")
    results = train(config, tmp_path)
    assert np.isfinite(results["ranking"]["model"].values()["ndcg@10"])
    first = np.asarray(initialise(build_run(config, one_device()))["tables"]["artists"]["rows"])
    last = next(array for name, array in weights_of(tmp_path).items() if "artists" in name and "rows" in name)
    changed = (last != first).any(axis=1)
    assert changed.tolist() == [True] * 5 + [False] * 2
    restored = rebuild(tmp_path)
    assert jax.tree.map(np.shape, restored.state["tables"]["artists"]["rows"]) == (N_ARTISTS, 8)
    assert build(restored.run.config.data).sizes["artists"] == N_ARTISTS
    opened = open_run(tmp_path)
    assert isinstance(opened.features, ArtistFeatures)
    one, histories = np.array([3]), restored.run.data.take(np.array([3]))
    expected = model_of(restored.run, *weights(restored.state)).scores(one, histories)
    np.testing.assert_array_equal(opened.recommender().scores(one, histories), expected)
