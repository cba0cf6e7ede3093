"""Which parts of a config go together: model, task, batches and recommender, by what each declares."""

from collections.abc import Mapping
from typing import Any

from mu.config.base import Config, ConfigError
from mu.config.resolve import locate, takes
from mu.data.evidence_features import EvidenceFeatures
from mu.data.features import HistoryFeatures
from mu.inference.evidence import EvidenceRecommender
from mu.inference.recommender import TrainedRecommender
from mu.protocols import (
    Batches,
    DeclaresAddedEvidence,
    DeclaresAverage,
    DeclaresConstants,
    DeclaresGraph,
    DeclaresHiddenPlays,
    DeclaresIntent,
    DeclaresRepeats,
    DeclaresSeveralQueries,
    LearnsIntent,
    Model,
    Task,
)


def check_examples(config: Config, batches: Batches) -> None:
    """Raises ConfigError where evaluations would ask a recommender of tracks about examples that are no listeners."""
    recommender = _recommender(config)
    recommends = isinstance(recommender, type) and issubclass(recommender, TrainedRecommender)
    if config.evals and batches.features is None and recommends:
        raise ConfigError(
            f"config.recommender.name={config.recommender.name!r} recommends tracks to listeners, and the examples of "
            f"{config.batches.name} are clips or ratings: set recommender.name='mu.inference.clips:ClipPredictor' or "
            "'mu.inference.ratings:RatingPredictor'"
        )


def check_evidence(config: Config, batches: Batches, task: Task[Model]) -> None:
    """Raises ConfigError where the batches have evidence of counts that task or recommender leave out, or lack it."""
    recommender = config.recommender.name
    has_evidence = isinstance(batches.features, EvidenceFeatures)
    if has_evidence and intents_of(task):
        raise ConfigError(
            "config.batches.evidence and config.task.intent do not go together: no recommender has both; set "
            "batches.evidence=None or task.intent=None"
        )
    if has_evidence and not _adds_evidence(task):
        close = ""
        if task.needs_all_items:
            close = ". Thousands of negatives, cheap with batches.negatives_per='batch', come close to all tracks"
        raise ConfigError(
            f"config.task ({config.task.name}) does not add the evidence of config.batches.evidence to its scores: set "
            "task.name='mu.tasks.retrieval:Retrieval' and task.loss='sampled_softmax', or batches.evidence=None" + close
        )
    if has_evidence and not _adds_evidence(_recommender(config)):
        fitting = _set_recommender(config, "mu.inference.evidence:EvidenceRecommender")
        if takes(config.model, "audio"):
            fitting = "set recommender.name='mu.inference.time_aware:TimeAwareRecommender'"
        raise ConfigError(
            f"config.recommender.name={recommender!r} does not add the evidence of config.batches.evidence to the "
            f"model's scores: {fitting}"
        )
    needs_evidence = isinstance(_recommender(config), type) and issubclass(_recommender(config), EvidenceRecommender)
    if needs_evidence and not has_evidence:
        raise ConfigError(
            f"config.recommender.name={recommender!r} adds evidence of counts to the model's scores, and the batches "
            "have none: set batches.evidence, such as {'name': 'mu.baselines.pctm:PCTM'}, or recommender.name="
            "'mu.inference.recommender:TrainedRecommender'"
        )


def check_inputs(config: Config, batches: Batches, task: Task[Model]) -> None:
    """Raises ConfigError where the batches tell a model more of plays and tracks than it reads or may know, or less."""
    told = batches.features.model_inputs if isinstance(batches.features, HistoryFeatures) else {}
    set_by_hand = config.model.get("inputs") if takes(config.model, "inputs") else None
    if set_by_hand and not told:
        raise ConfigError(
            f"config.model.inputs names {', '.join(set_by_hand)}, and config.batches tells nothing beside tracks and "
            "times: leave model.inputs out, the run sets it; what is to be read is set by batches.time_deltas, "
            "outcomes, earlier_plays, event_columns, track_features and neighbours"
        )
    if told and not takes(config.model, "inputs"):
        raise ConfigError(
            f"config.model ({config.model.name}) reads none of what config.batches tells it beside tracks and times "
            f"({', '.join(told)}): take SASRec, HSTU or GRU4Rec, or leave these keys of config.batches out; a model of "
            "your own that takes 'inputs' reads them by mu.nn.history:HistoryInputs"
        )
    if "earlier_plays" in told and _hides_plays(task):
        raise ConfigError(
            f"config.batches.earlier_plays=True counts the plays that config.task ({config.task.name}) hides: a track "
            "that was played before, and that no visible play is of, must be a hidden one; set "
            "batches.earlier_plays=False"
        )


def check_earlier_tracks(config: Config, task: Task[Model]) -> None:
    """Raises ConfigError where the data name earlier tracks of artists and task or model reads none."""
    read = "earlier_tracks" in task.offers and takes(config.model, "earlier_tracks")
    if config.data.get("earlier_tracks") and not read:
        raise ConfigError(
            f"config.data.earlier_tracks={config.data.earlier_tracks}, and config.task ({config.task.name}) with "
            f"config.model ({config.model.name}) reads none of them: take mu.tasks.next_play:NextPlay and "
            "mu.models.audio_user:AudioUser, or set data.earlier_tracks=0"
        )


def check_intent(config: Config, batches: Batches, task: Task[Model]) -> None:
    """Raises ConfigError where the batches lack what intents are learnt from, or nobody says or has them."""
    intents, recommender = intents_of(task), config.recommender.name
    counted = set(intents) if isinstance(task, LearnsIntent) and task.reads_habits else set()
    if getattr(batches.features, "habits", False) and not counted:
        raise ConfigError(
            f"config.batches.habits=True, and config.task ({config.task.name}) has no heads of intents that read "
            "habits: set task.intent of mu.tasks.retrieval:Retrieval, such as {'repeat': 0.1}, or batches.habits=False"
        )
    if counted and not getattr(batches.features, "habits", False):
        raise ConfigError(
            f"the heads of config.task.intent ({', '.join(intents)}) read the listener's habits, and "
            f"config.batches ({config.batches.name}) does not tell them: set batches.habits=True"
        )
    for key, needed in (("outcomes", {"completion", "skip"}), ("earlier_plays", {"repeat"})):
        if needed & set(intents) and not getattr(batches.features, key, False):
            raise ConfigError(
                f"config.task.intent names {min(needed & set(intents))!r}, and config.batches ({config.batches.name}) "
                f"does not say of a play what that is: set batches.{key}=True"
            )
    predicts = predicts_intent(_recommender(config))
    if intents and not predicts:
        raise ConfigError(
            f"config.recommender.name={recommender!r} leaves out what config.task.intent learns: "
            + _set_recommender(config, "mu.inference.intent:IntentRecommender")
        )
    if predicts and not intents:
        raise ConfigError(
            f"config.recommender.name={recommender!r} says what listeners are about to do, and config.task "
            f"({config.task.name}) learns none of it: set task.intent, such as {{'repeat': 0.1}}, or recommender.name="
            "'mu.inference.recommender:TrainedRecommender'"
        )


def check_repeats(config: Config, task: Task[Model]) -> None:
    """Raises ConfigError where only one of task and recommender has offsets of played tracks."""
    recommender = config.recommender.name
    has_offsets, takes_offsets = _offsets_repeats(task), _offsets_repeats(_recommender(config))
    if has_offsets and not takes_offsets:
        raise ConfigError(
            f"config.recommender.name={recommender!r} leaves out the offsets of repeats that config.task "
            f"({config.task.name}) learns: " + _set_recommender(config, "mu.inference.repeats:RepeatRecommender")
        )
    if takes_offsets and not has_offsets:
        raise ConfigError(
            f"config.recommender.name={recommender!r} adds offsets to tracks that were played, and "
            f"config.task ({config.task.name}) learns none: set task.name='mu.tasks.repeats:RepeatRetrieval', or "
            "recommender.name='mu.inference.recommender:TrainedRecommender'"
        )


def intents_of(task: Task[Model]) -> tuple[str, ...]:
    """The names of the heads for what a listener is about to do."""
    return tuple(task.intent) if isinstance(task, LearnsIntent) else ()


def predicts_intent(part: Any) -> bool:
    """Whether a recommender says what listeners are about to do."""
    return isinstance(part, DeclaresIntent) and part.predicts_intent


def check_queries(config: Config, task: Task[Model]) -> None:
    """Raises ConfigError where the task gives a listener one query and the recommender takes several, or otherwise."""
    recommender = config.recommender.name
    gives_several, takes_several = _has_several_queries(task), _has_several_queries(_recommender(config))
    if gives_several and not takes_several:
        raise ConfigError(
            f"config.recommender.name={recommender!r} takes one query a listener, and config.task "
            f"({config.task.name}) gives several: "
            + _set_recommender(config, "mu.inference.multi_interest:MultiInterestRecommender")
        )
    if takes_several and not gives_several:
        raise ConfigError(
            f"config.recommender.name={recommender!r} takes several queries a listener, and config.task "
            f"({config.task.name}) gives one: set recommender.name='mu.inference.recommender:TrainedRecommender', or "
            "task.name='mu.tasks.multi_interest:MultiInterest'"
        )


def check_hidden_plays(config: Config, task: Task[Model], model: Model) -> None:
    """Raises ConfigError where the model would read the plays that it is to tell."""
    hides, takes_hidden = _hides_plays(task), _hides_plays(model)
    if hides and not takes_hidden:
        raise ConfigError(
            f"config.task ({config.task.name}) hides plays, and config.model ({config.model.name}) would read the "
            "tracks that it is to tell: set model.name='mu.models.sasrec:SASRec' and model.attention='bidirectional', "
            "or task.name='mu.tasks.retrieval:Retrieval'; a model of your own that takes 'hidden' declares "
            "hides_plays=True"
        )
    if takes_hidden and not hides:
        raise ConfigError(
            f"config.model ({config.model.name}) sees the plays on both sides of one that is hidden, and config.task "
            f"({config.task.name}) hides none: set task.name='mu.tasks.cloze:Cloze', or model.attention='causal'"
        )


def check_graph(config: Config, batches: Batches, model: Model) -> None:
    """Raises ConfigError where model and batches do not both have the graph of plays, or its weights are averaged."""
    learns_with_graph = isinstance(model, DeclaresGraph) and model.learns_with_graph
    has_graph = "graph" in constants_of(batches)
    if learns_with_graph and not has_graph:
        raise ConfigError(
            f"config.model ({config.model.name}) learns with the graph of plays: set "
            "batches.name='mu.data.batches.pairs:PairBatches' and batches.graph=True"
        )
    if has_graph and not learns_with_graph:
        raise ConfigError(
            f"config.model ({config.model.name}) does not read the graph that batches.graph=True gives: set "
            "batches.graph=False, or model.name='mu.models.lightgcn:LightGCN'; a model of your own that reads 'graph' "
            "declares learns_with_graph=True"
        )
    if learns_with_graph and config.ema_decay is not None:
        raise ConfigError(
            f"ema_decay={config.ema_decay}: config.model ({config.model.name}) lists by rows that a training step has "
            "computed with weights which are not averaged, so the average would change nothing: set ema_decay=None"
        )


def check_average(config: Config, task: Task[Model]) -> None:
    """Raises ConfigError where a task learns from the moving average of the model and there is none."""
    if learns_from_average(task) and config.ema_decay is None:
        raise ConfigError(
            f"config.task ({config.task.name}) learns from the moving average of the model: set ema_decay, such as 0.99"
        )


def learns_from_average(task: Task[Model]) -> bool:
    """Whether a task finds the moving average of the model in its batches."""
    return isinstance(task, DeclaresAverage) and task.learns_from_average


def constants_of(batches: Batches) -> Mapping[str, Any]:
    """The arrays that all batches share, by name."""
    return batches.constants if isinstance(batches, DeclaresConstants) else {}


def _recommender(config: Config) -> Any:
    """The class or function that makes the recommender of a run."""
    return locate(config.recommender.name, "config.recommender.name")


def _set_recommender(config: Config, name: str) -> str:
    """What to set for this recommender, which does not know the time of a play as a policy needs it."""
    return f"set recommender.name={name!r}" + (" and policy=None" if config.policy is not None else "")


def _adds_evidence(part: Any) -> bool:
    return isinstance(part, DeclaresAddedEvidence) and part.adds_evidence


def _offsets_repeats(part: Any) -> bool:
    return isinstance(part, DeclaresRepeats) and part.offsets_repeats


def _has_several_queries(part: Any) -> bool:
    return isinstance(part, DeclaresSeveralQueries) and part.several_queries


def _hides_plays(part: Any) -> bool:
    return isinstance(part, DeclaresHiddenPlays) and part.hides_plays
