"""The seams of mu: what data, batches, models, tasks, recommenders, evaluators and baselines have in common.

Letters in shapes: B listeners or examples, V items, D features, n clips or ratings, C classes.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import jax

    from mu_kernels import CSR
    from mu_kernels.sparse_rows import SparseRows

    Array = jax.Array
ModelT = TypeVar("ModelT", contravariant=True)
"""A model: `Model`, with what else the task asks of it."""
ClipsT = TypeVar("ClipsT", contravariant=True)
"""The clips that a predictor takes."""
MeasuredT = TypeVar("MeasuredT", contravariant=True)
"""What an evaluator measures: a `Recommender`, or a `Predictor` of its clips."""
ResultT = TypeVar("ResultT", covariant=True)
"""What an evaluation gives: `mu.evals.result.Result`."""
TrainT = TypeVar("TrainT", contravariant=True)
"""The data that a baseline learns from."""
FittedT = TypeVar("FittedT", covariant=True)
"""A fitted baseline: a `Recommender` or a `Predictor`."""
Batch = Mapping[str, Any]
"""Name -> array with leading axis B; in sparse runs 'ids' maps each id space to the batch's distinct ids. What all
examples share, without that axis, comes from the host under 'shared'; the step passes it on beside the others, and with
it what all batches share (`DeclaresConstants`)."""

ProgressCallback = Callable[[str, float, float, str], None]
"""Is called with a stage of long work, how much of it is done, of how much, and a note."""


class Data(Protocol):
    """The data set of a run: a log of plays, clips, or ratings."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Id space -> number of ids: {'users': U, 'items': V, ...}. Tables of a model have a row for each id of one."""
        ...

    @property
    def card(self) -> Mapping[str, Any]:
        """Where the data come from and what they hold; JSON."""
        ...

    def __len__(self) -> int:
        """Plays or clips."""
        ...

    def track_rows(self) -> Mapping[str, np.ndarray]:
        """Features of every track, [V, ...] each: tables that models read and no gradient moves; {} for none."""
        ...

    def merged(self, other: Self) -> Self:
        """These and the examples of another part of the same data."""
        ...

    def hash(self) -> str:
        """sha256 over everything that training or evaluation reads."""
        ...


class Split(Protocol):
    """Data in three parts."""

    @property
    def name(self) -> str:
        """Of the rule that made the parts."""
        ...

    @property
    def train(self) -> Data:
        """What is learnt from."""
        ...

    @property
    def valid(self) -> Data:
        """What choices are made by."""
        ...

    @property
    def test(self) -> Data:
        """What is measured once."""
        ...

    @property
    def hash(self) -> str:
        """sha256 over the rule and the three parts."""
        ...


class Histories(Protocol):
    """Plays of users, oldest first; `mu.histories.TrackHistories` and every log."""

    @property
    def indptr(self) -> np.ndarray:
        """int64 [U+1]; user u's plays are `indptr[u]:indptr[u+1]`."""
        ...

    @property
    def items(self) -> np.ndarray:
        """int32 [E], tracks."""
        ...

    @property
    def times(self) -> np.ndarray:
        """int64 [E], unix milliseconds, where `has_times`."""
        ...

    @property
    def has_times(self) -> bool:
        """Whether the moments of the plays are known, and not their order alone."""
        ...

    @property
    def outcomes(self) -> np.ndarray | None:
        """uint8 [E] or None: how plays ended."""
        ...

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """Name of an event column -> codes [E]."""
        ...


class Log(Histories, Protocol):
    """Plays grouped by user, in order of time; `mu.data.logs.interactions.Interactions` is one."""

    @property
    def n_items(self) -> int:
        """V, the size of the catalogue."""
        ...

    def seen(self) -> "CSR":
        """The set of items of each user."""
        ...

    @property
    def weights(self) -> np.ndarray:
        """float32 [E]: the weight of each play; 1 in logs without weights."""
        ...

    def counts(self) -> np.ndarray:
        """int64 [V]: plays of each item."""
        ...


class Batches(Protocol):
    """Training examples by number.

    What a run must know of its batches is declared here, with the value that most have.
    """

    n_clips: int = 0
    """Recordings in a batch beside its examples; 0 for none."""
    gives: frozenset[str] = frozenset()
    """Names of the arrays of a batch."""
    holds_out: bool = False
    """Whether `on(data)` cuts held-out data into the same batches, so that the run measures its loss on them."""
    crop_samples: int | None = None
    """Samples of a crop of sound; None without audio."""
    left_out: Mapping[str, int] = MappingProxyType({})
    """Reason -> how many plays, listeners or clips of the data no example is of."""
    features: "Features | None" = None
    """The inputs of the model for given users and histories; None where the examples are no users."""

    @property
    def n_examples(self) -> int: ...
    @property
    def batch_size(self) -> int: ...

    def batch(self, examples: np.ndarray, step: int) -> dict[str, Any]:
        """The arrays of these examples (int64 [B]); `step` counts the random draws."""
        ...


class HoldOutBatches(Batches, Protocol):
    """Batches whose `holds_out` is True."""

    def on(self, data: Data) -> Batches:
        """Held-out data in batches of the same form."""
        ...


class Features(Protocol):
    """What a model gets to know of users; `mu.data.features.HistoryFeatures` is one."""

    def inputs(self, users: np.ndarray, histories: Histories) -> dict[str, np.ndarray]:
        """The model's inputs, arrays with leading axis B, for users (int64 [B]) with these B histories."""
        ...

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the features to a folder that exists."""
        ...

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """The features that `save` wrote."""
        ...


class TableSpec(Protocol):
    """One row of `dim` numbers for each id of an id space (`mu.nn.table.Table` is one)."""

    @property
    def ids(self) -> str:
        """The id space, a name in `Data.sizes`."""
        ...

    @property
    def dim(self) -> int:
        """Numbers a row."""
        ...

    @property
    def scale(self) -> float:
        """Standard deviation of the initial normal values; 0 starts at zero."""
        ...

    @property
    def learnt(self) -> bool:
        """False for rows that no gradient moves."""
        ...


class Model(Protocol):
    """A module: tables and a function from a batch to named arrays."""

    def tables(self) -> Mapping[str, TableSpec]:
        """Name -> table that the trainer keeps for the model."""
        ...

    def __call__(self, rows: Mapping[str, "Array"], batch: Batch, key: "Array | None" = None) -> dict[str, "Array"]:
        """Everything that the model computes of a batch, by name.

        Args:
          rows: the tables' rows, indexed as the batch's ids say.
          batch: the inputs.
          key: for dropout; None at inference.
        """
        ...


@runtime_checkable
class ModelWithAudio(Protocol):
    """A model of plays and sound; its audio encoder is a model of its own, which embeds recordings."""

    audio: Any
    """A `Model` that gives 'clip' [B, D] for 'audio' [B, S] and 'samples' [B]; None where the data have no sound."""


class Task(Protocol[ModelT]):
    """Where a batch meets a model.

    What a run must know of its task is declared here, with the value that most have.
    """

    compares_examples: bool = False
    """Whether the loss of an example depends on the others of its batch: microbatches would change it."""
    needs_all_items: bool = False
    """Whether the loss reads every item's row at every step: tables must be dense."""

    @property
    def offers(self) -> Mapping[str, Any]:
        """What the model's constructor may take from the task: 'outputs', 'rating_spec', 'sample_rate_hz', ..."""
        ...

    @property
    def requires(self) -> frozenset[str]:
        """Names that the model's output must have."""
        ...

    def loss(self, model: ModelT, rows: Mapping[str, "Array"], batch: Batch, key: "Array") -> "tuple[Array, Array]":
        """(loss, weight) of every example; a step sums loss x weight over the sum of weights."""
        ...

    def predict(self, model: ModelT, rows: Mapping[str, "Array"], batch: Batch) -> dict[str, "Array"]:
        """What evaluation asks of the model: {'query': [B, D]} for retrieval, a head's name -> [B, C] for clips."""
        ...


class ReadsText(Protocol):
    """A task that has learnt sound and words in one space."""

    def similarity(self, model: Any, clips: "Array", ngrams: "Array") -> "Array":
        """float32 [N, M], the cosine of clip vectors [N, D] and of texts int32 [M, G] (`mu.ngrams`)."""
        ...


@runtime_checkable
class DeclaresText(Protocol):
    """A task that says which task has learnt words; one that does not say so has learnt none."""

    text_task: ReadsText | None
    """Itself, or of several tasks in one the one that has."""


@runtime_checkable
class DeclaresHiddenPlays(Protocol):
    """A task or a model that says whether plays are hidden; one that does not say so knows nothing of it."""

    hides_plays: bool
    """Of a task: whether it gives the model the tracks that it is to tell, and in 'hidden' bool [B, T] which they are.
    Of a model: whether it takes 'hidden', and does not read these tracks."""


@runtime_checkable
class DeclaresConstants(Protocol):
    """Batches that have arrays in common; those that declare none have none."""

    constants: Mapping[str, Any]
    """Name -> arrays of the host without an axis of examples, the same for every batch: a run puts them on its devices
    once, and a model finds them in each training batch. 'graph' is who has played what, as `mu_kernels.xla.Bipartite`
    names its arrays."""


@runtime_checkable
class DeclaresGraph(Protocol):
    """A model that says whether it learns with the graph of plays; one that does not say so does not read it."""

    learns_with_graph: bool
    """Whether it needs 'graph' of `DeclaresConstants` in training. What it lists by are rows that it computed with the
    graph and the weights of a training step (`mu.nn.table.Buffer`)."""


@runtime_checkable
class DeclaresAverage(Protocol):
    """A task that says whether it learns from the moving average of the model; one that does not say so does not."""

    learns_from_average: bool
    """Whether the loss finds in its batch 'average', the model with the moving average of its parameters before the
    step, which has no gradient; of held-out examples it is the model itself. It needs config.ema_decay."""


@runtime_checkable
class DeclaresAddedEvidence(Protocol):
    """A task or a recommender that says whether it adds evidence of counts to scores; one that does not adds none."""

    adds_evidence: bool
    """Of a task: whether its loss does, with a batch's 'target_evidence' and 'negative_evidence'. Of a recommender:
    whether its scores have it where the batches do."""


@runtime_checkable
class DeclaresSeveralQueries(Protocol):
    """A task or a recommender that says whether a listener has several queries; with one that does not it is one."""

    several_queries: bool
    """Of a task: whether `predict` gives 'query' [B, M, D] and not [B, D]. Of a recommender: whether it takes these."""


@runtime_checkable
class AddsParts(Protocol):
    """A task with parameters of its own: the run keeps them in the model."""

    def parts(self, model: Any, rngs: Any) -> Mapping[str, Any]:
        """Name -> module (`flax.nnx.Module`) that is set as an attribute of the model, with these random initial values
        (`flax.nnx.Rngs`)."""
        ...


@runtime_checkable
class LearnsIntent(Protocol):
    """A task that says what a listener is about to do; it gives the logits of its heads under 'intent'."""

    intent: Mapping[str, float]
    """Name of a head -> its weight in the loss; none for no heads."""
    reads_habits: bool
    """Whether the heads read batch['habits'], how often the listener has done so before."""


@runtime_checkable
class DeclaresRepeats(Protocol):
    """A task or a recommender that says whether played tracks get an offset; one that does not has none."""

    offsets_repeats: bool
    """Of a task: whether `predict` gives 'place_offsets' [B, T] beside queries. Of a recommender: whether it takes
    these."""


@runtime_checkable
class DeclaresIntent(Protocol):
    """A recommender that says whether it is an `IntentPredictor`."""

    predicts_intent: bool
    """Whether it is."""


@runtime_checkable
class MeasuresIntent(Protocol):
    """An evaluator that says whether it measures `IntentPredictor`s alone, and leaves out other recommenders."""

    measures_intent: bool
    """Whether it does."""


class Recommender(Protocol):
    """Scores of every item for listeners; baselines and trained models alike."""

    dot_product: bool = False
    """Whether scores are the products of `queries` and `item_vectors` plus `item_bias`: see `DotProductRecommender`."""
    time_aware: bool = False
    """Whether scores depend on the time; such a recommender is asked with `times_ms` where times are known. One that is
    a dot product too depends on it by the items' ages: see `AgeAwareRecommender`."""

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """How well each item suits each listener, larger is better.

        Args:
          users: int64 [B], ids in the training log; -1 for a listener that is not in it.
          histories: B rows: what these listeners have played so far; may hold more than the training log does.
          times_ms: int64 [B], unix milliseconds; None for the end of the training log.

        Returns:
          float32 [B, V].
        """
        ...


class IntentPredictor(Recommender, Protocol):
    """A recommender that declares `predicts_intent`: it says what listeners are about to do."""

    predicts_intent: bool = True

    def intent(self, users: np.ndarray, histories: Histories) -> dict[str, np.ndarray]:
        """'completion', 'skip', 'repeat', 'recent_repeat', those that it knows -> float [B]: how likely the next play
        of each of these users, int64 [B], with these B histories is finished, skipped, of a track that they have
        played, or have played of late."""
        ...


class DotProductRecommender(Recommender, Protocol):
    """A recommender whose `dot_product` is True: evaluators, reports and servers find its best items exactly without
    a dense B x V matrix."""

    @property
    def item_vectors(self) -> np.ndarray:
        """float32 [V, D]."""
        ...

    def queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, D]: what the item vectors are multiplied with."""
        ...

    def item_bias(self, times_ms: np.ndarray | None = None) -> np.ndarray | None:
        """Added to the scores: float32 [V], or None, as of the end of the training log; of a time-aware recommender
        float32 [B, V] at these times."""
        ...


class AgeAwareRecommender(DotProductRecommender, Protocol):
    """A recommender whose `dot_product` and `time_aware` are True: what is added to a product is a step function of the
    item's age, so that evaluators rank by ranges of items in the order of their release."""

    def age_steps(self) -> tuple[np.ndarray, np.ndarray]:
        """(edges_ms int64 [S], ascending; values float32 [S + 1]).

        The score of an item is its product plus `values[s]`, s the number of edges that are at most its age in
        milliseconds. An item that is not out yet has a negative age; one of unknown release is older than all edges.
        """
        ...


class SparseRecommender(Recommender, Protocol):
    """A recommender that declares `sparse`: scores are a background plus a few rows of sparse evidence.

        scores[b, v] = float32(background[v] + sum over the entries (row r, weight w) of query b of w sparse_rows[r, v])

    Sums are float64, in the order of the entries. Evaluators and `mu.topk` find ranks and best items without a dense
    B x V matrix (`mu_kernels.SparseIndex`), at the cost of the entries that a query reaches. The R rows are of items,
    of users or of whatever the queries choose from.
    """

    sparse: bool = True

    @property
    def sparse_rows(self) -> "SparseRows":
        """[R, V]; a column comes at most once in a row. The same object until the recommender learns something."""
        ...

    @property
    def background(self) -> np.ndarray:
        """float64 [V], finite: the scores of a listener without evidence. The same array until something is learnt."""
        ...

    def sparse_queries(
        self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None
    ) -> "SparseRows":
        """[B, R]: the rows that are summed for each listener, with their weights."""
        ...


@runtime_checkable
class DeclaresSparse(Protocol):
    """A recommender that says whether it is a `SparseRecommender`."""

    sparse: bool
    """Whether it is."""


def as_sparse(recommender: Recommender) -> SparseRecommender | None:
    """The recommender where it declares to be a `SparseRecommender`, else None.

    One that is a `DotProductRecommender` too is taken as that everywhere, so that its ranks and lists agree: None.
    """
    if isinstance(recommender, DeclaresSparse) and recommender.sparse and not recommender.dot_product:
        return cast(SparseRecommender, recommender)
    return None


@runtime_checkable
class DeclaresEvidence(Protocol):
    """A recommender that says whether it is an `EvidenceByPlay`."""

    evidence_by_play: bool
    """Whether it is."""


class EvidenceByPlay(SparseRecommender, Protocol):
    """A sparse recommender that declares `evidence_by_play`: scores are a background and a part for each play."""

    evidence_by_play: bool = True

    def play_evidence(self, histories: Histories) -> "SparseRows":
        """[T, V]: what each play of one history, the oldest first, gives to the score of each item."""
        ...


@runtime_checkable
class RatingRecommender(Protocol):
    """A recommender that declares `predicts_ratings`: its scores are ratings in the unit of the log's weights."""

    predicts_ratings: bool
    """Whether the errors of the scores can be measured."""


@runtime_checkable
class ContextRecommender(Protocol):
    """A recommender that declares which event columns of the latest play its scores depend on."""

    @property
    def event_columns(self) -> Sequence[str]:
        """Their names."""
        ...


class Predictor(Protocol[ClipsT]):
    """Predictions about clips or ratings; baselines and trained models alike."""

    def predict(self, clips: ClipsT) -> dict[str, np.ndarray]:
        """Name of a target -> float32 [n, C]."""
        ...


class Evaluator(Protocol[MeasuredT, ResultT]):
    """Measures a recommender or a predictor. It prints nothing, writes nothing, fits nothing, and sees no config."""

    @property
    def names(self) -> Sequence[str]:
        """The metrics: 'recall@10', 'discovery/recall@20', 'genre/accuracy'. Larger is better but for descriptive ones,
        see `DeclaresDescriptive`."""
        ...

    @property
    def bootstrap_samples(self) -> int:
        """How often units are drawn again for the intervals."""
        ...

    def run(self, measured: MeasuredT, /) -> ResultT:
        """The values of every unit (user, play, clip, rating)."""
        ...


@runtime_checkable
class DeclaresDescriptive(Protocol):
    """An evaluator that says which of its metrics say what lists are like (coverage, novelty): of them more is not
    always better, so nothing is chosen by one."""

    descriptive: Sequence[str]
    """Names of metrics."""


class Baseline(Protocol[TrainT, FittedT]):
    """A recommender or predictor that is fitted without gradients, to the training part alone."""

    def fit(self, train: TrainT, /) -> FittedT:
        """Learns from the training part; returns the recommender or predictor, mostly itself."""
        ...


@runtime_checkable
class ChecksData(Protocol):
    """A baseline that says before it is fitted whether the data have what it needs: a run asks it before training."""

    def check_data(self, train: Any, /) -> None:
        """Raises ValueError where data lack something, such as a column or the times of plays; cheap beside `fit`."""
        ...
