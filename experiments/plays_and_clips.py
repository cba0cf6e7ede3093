"""Your own log and your own audio in one model, as `mu import` and `mu import-audio` wrote them.

The log needs times; a row of plays.csv is user, track, time, and if you have them how plays ended and in what context.
tracks.csv holds what is known of each track: its id as in the log, and columns such as artist, tags (separated by '|')
and the date of release. audio.csv says which file is which track: columns `file` and `track`. Tracks may lack audio, or
plays, or both; how many do is in the run's data_card. Every test play is ranked among all tracks that were out.

    mu import plays.csv --track_table=tracks.csv --catalogue=all --unknown_tracks=error --output=data/plays
    mu import-audio audio.csv --root=audio --output=data/clips --store --store_rate_hz=16000
    mu train --config=experiments/plays_and_clips.py:log=data/plays,clips=data/clips --workdir=runs/plays_and_clips
    mu report runs/plays_and_clips

What is known of tracks is named by their columns, several separated by '|'; new releases need their date:

    mu train --config=experiments/plays_and_clips.py:item_columns=artist|tags,tags=tags,released=release_date \
        --workdir=runs/with_features

Where audio.csv calls the tracks otherwise, say in which column: clip_column=isrc. A folder of files whose names are the
tracks' ids has them as clip_column=clip. More data want more steps and a wider model: steps=20000 and
--config.model.dim=128.
"""

from ml_collections import ConfigDict

from mu.config.base import base, parse_arg


def get_config(arg: str | None = None) -> ConfigDict:
    """Arguments: `log` and `clips`, the folders (clips=none for a log without audio); `clip_column` of the clips says
    which track each is; `item_columns`, `user_columns`, `event_columns` of tracks, users and plays that the model is
    given, separated by '|'; `item_numbers`, columns of tracks with numbers, likewise (those of `mu import
    --track_features` if none is named); `tags`, a column to predict from sound; `released`, that of the date; `steps`;
    `seed`; `smoke`: does it run at all?"""
    args = parse_arg(
        arg,
        smoke=False,
        seed=0,
        steps=2000,
        log="data/plays",
        clips="data/clips",
        clip_column="track",
        item_columns="",
        user_columns="",
        event_columns="context",
        item_numbers="",
        tags="",
        released="",
    )
    has_audio = args.clips != "none"
    config = base()
    config.seed = args.seed
    config.data = {
        "name": "mu.data.listening.listening:load",
        "path": args.log,
        "clips": args.clips if has_audio else None,
        "sample_rate_hz": 16000,
        "clip_column": args.clip_column,
        "item_columns": tuple(filter(None, args.item_columns.split("|"))),
        "user_columns": tuple(filter(None, args.user_columns.split("|"))),
        "event_columns": tuple(filter(None, args.event_columns.split("|"))),
        "item_numbers": tuple(filter(None, args.item_numbers.split("|"))) or None,
        "tags": args.tags or None,
        "released": args.released or None,
    }
    config.split = {"name": "mu.data.logs.splits:global_temporal", "valid_share": 0.1, "test_share": 0.15}
    config.batches = {
        "name": "mu.data.batches.listening:ListeningBatches",
        "window": 10 if args.smoke else 50,
        "rows": 8 if args.smoke else 32,
        "negatives": 16 if args.smoke else 256,
        "horizon": 10,
        "clips": 8 if args.smoke else 32,
        "clips_every": 4,
        "crop_s": 4.0,
    }
    config.model = {
        "name": "mu.models.audio_user:AudioUser",
        "audio": {"size": "xs", "n_mels": 64, "window_s": 0.032, "hop_s": 0.02, "normalisation": "none"},
        "drop_id": 0.5 if has_audio else 0.0,
        "max_column_values": 255,
    }
    config.task = {"name": "mu.tasks.next_play:NextPlay", "tags": 0.5 if args.tags and has_audio else 0.0}
    config.recommender = {"name": "mu.inference.time_aware:TimeAwareRecommender"}
    config.total_steps = 20 if args.smoke else args.steps
    for part, rate in (("optimizer", 2e-3), ("tables", 4e-3)):
        schedule = {"name": "optax:cosine_decay_schedule", "init_value": rate, "decay_steps": config.total_steps}
        config[part] = {"name": config[part].name, "learning_rate": schedule}
    config.clip_norm = 1.0
    config.evals = {"plays": {"name": "mu.evals.protocols.plays:PlayRanking"}}
    config.policy = {"name": "mu.inference.policy:new_release_boost", "metric": "plays/discovery/recall@20"}
    config.best = {"metric": "valid/plays/discovery/recall@20", "patience": None}
    config.evaluate_every_steps = config.checkpoint_every_steps = 10 if args.smoke else 200
    config.log_every_steps = 10 if args.smoke else 50
    config.baselines.update(random={"name": "mu.baselines.simple:Random"})
    if has_audio:
        config.baselines.update(content={"name": "mu.baselines.content:ContentNeighbours"})
    return config
