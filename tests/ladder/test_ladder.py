"""The ladder of a log: rungs and the bar, as the command prints them; and what logs of known needs are said to need."""

import json

import numpy as np
import pytest

from mu.baselines.markov import MarkovChain
from mu.baselines.pctm import PCTM
from mu.baselines.shuffled import ShuffledHistories, shuffled
from mu.cli import main
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.logs.splits import leave_one_out
from mu.evals.results import load as load_evaluation
from mu.histories import TrackHistories
from mu.ladder import run as run_module
from mu.ladder.needs import needs
from mu.ladder.run import ladder_config
from mu.run.evaluation import evaluator_on, measure
from mu.topk import recommend

N_TRACKS, N_USERS, N_PLAYS = 40, 300, 12


def write(folder, rule, n_tracks=N_TRACKS, track_table=None):
    """A log of listeners whose next track is `rule(random, history)`, imported."""
    random, lines = np.random.default_rng(0), ["user,track,time"]
    for user in range(N_USERS):
        history = [int(random.integers(n_tracks))]
        while len(history) < N_PLAYS:
            history.append(rule(random, history))
        lines += [f"u{user},t{track},{1_500_000_000 + at}" for at, track in enumerate(history)]
    source = folder / "plays.csv"
    source.write_text("\n".join(lines) + "\n")
    import_log([str(source)], folder / "log", LogImportOptions(track_table=track_table))
    return folder / "log"


def cycle(random, history):
    """Round the catalogue in steps of one, most of the time: the last play says all, and its order."""
    return (history[-1] + 1) % N_TRACKS if random.random() < 0.7 else int(random.integers(N_TRACKS))


def cluster(random, history):
    """Any unheard track of the listener's own eight: order says nothing, many plays say more than one."""
    own = [history[0] // 8 * 8 + place for place in range(8)]
    return int(random.choice(own)) if random.random() < 0.6 else int(random.integers(N_TRACKS))


@pytest.fixture(scope="module")
def cyclic(tmp_path_factory):
    return write(tmp_path_factory.mktemp("cyclic"), cycle)


def answers(log):
    config = ladder_config(str(log), None, {})
    return {one.what: one for one in needs(config, leave_one_out(load(log)))}


def test_a_log_of_cycles_needs_order_and_little_more_than_the_last_play(cyclic):
    found = answers(cyclic)
    assert found["order"].answer == "yes" and "with shuffled histories pctm falls from ndcg@10" in found["order"].words
    assert found["attributes"].answer == "not known"


def test_a_log_of_clusters_needs_no_order_but_the_whole_history(tmp_path):
    found = answers(write(tmp_path, cluster))
    assert found["order"].answer == "no"
    assert found["more than the last play"].answer == "yes"
    assert found["repeats"].answer == "yes"  # eight tracks of one's own and twelve plays


def test_a_log_whose_artists_say_what_follows_needs_attributes(tmp_path):
    """The last plays stay with an artist of ten among 1,000 tracks: pairs of tracks are too rare to be counted."""

    def same_artist_at_the_end(random, history):
        track = int(random.integers(1000))
        return track if len(history) < N_PLAYS - 2 else track // 100 * 100 + history[-1] % 100

    table = tmp_path / "tracks.csv"
    table.write_text("track,title,artist\n" + "".join(f"t{one},T{one},A{one % 100}\n" for one in range(1000)))
    found = answers(write(tmp_path, same_artist_at_the_end, 1000, str(table)))
    assert found["attributes"].answer == "yes" and "with artist (weight " in found["attributes"].words


def test_repeats_are_those_of_the_test_plays(cyclic):
    log = load(cyclic)
    split = leave_one_out(log)
    before = split.train.merged(split.valid)
    expected = np.mean([split.test.row(user)[0] in before.row(user) for user in range(log.n_users)])
    words = answers(cyclic)["repeats"].words
    assert words.startswith(f"{expected:.1%} [") and words.endswith("among unplayed tracks alone, which is easy")


def test_the_command_prints_the_bar_and_writes_an_evaluation(cyclic, tmp_path, capsys):
    output = tmp_path / "ladder"
    assert main(["ladder", str(cyclic), f"--output={output}"]) == 0
    out = capsys.readouterr().out
    document = json.loads((output / "ladder.json").read_text())
    results = load_evaluation(output).results
    assert set(results) == {"popularity", "markov", "item_knn", "sequential_rules", "pctm", "ease"}
    values = {name: result.values()["ndcg@10"] for name, result in results.items()}
    assert document["bar"]["rung"] == max(values, key=values.__getitem__)
    assert document["bar"]["value"] == pytest.approx(max(values.values()))
    assert f"The bar is {document['bar']['rung']}: ndcg@10 {max(values.values()):.4f} [" in out
    assert "does the log need" in out and "with shuffled histories" in out
    # A refit: fitted on all but the test part, as the baseline is by hand.
    split = leave_one_out(load(cyclic))
    learnt = split.train.merged(split.valid)
    hits = recommend(MarkovChain().fit(learnt), np.arange(N_USERS), learnt, 10).ids
    new = [user for user in range(N_USERS) if split.test.row(user)[0] not in learnt.row(user)]
    by_hand = np.mean([split.test.row(user)[0] in hits[user] for user in new])
    assert results["markov"].columns["recall@10"][new].mean() == pytest.approx(by_hand, abs=0.02)  # but for ties


def test_another_ladder_in_a_folder_leaves_no_results_of_the_one_before(cyclic, tmp_path):
    output, few = tmp_path / "ladder", ["--no_needs", "--config.evals.ranking.bootstrap_samples=20"]
    changed = tmp_path / "two.py"
    changed.write_text(
        "from mu.config.base import base\n\n\ndef get_config(arg):\n    config = base()\n"
        "    config.evals.more = {'name': 'mu.evals.protocols.ranking:Ranking'}\n    return config\n"
    )
    assert main(["ladder", str(cyclic), f"--output={output}", f"--config={changed}", *few]) == 0
    assert {path.name for path in (output / "evaluation").iterdir()} == {"ranking", "more"}
    drop = "--config.baselines.ease.most_items=3"
    assert main(["ladder", str(cyclic), f"--output={output}", drop, *few]) == 0
    assert [path.name for path in (output / "evaluation").iterdir()] == ["ranking"]
    assert "ease" not in load_evaluation(output).results


def test_evaluations_that_no_ladder_wrote_are_left_alone(cyclic, tmp_path, capsys):
    other = tmp_path / "evaluation" / "others"
    other.mkdir(parents=True)
    (other / "evaluation.json").write_text("{}")
    assert main(["ladder", str(cyclic), f"--output={tmp_path}", "--no_needs"]) == 2
    assert "evaluation is of no ladder (ladder.json is not there); choose another folder" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["evaluation", "evaluation.json", "others"]


def test_a_ladder_that_was_killed_while_it_measured_is_made_again(cyclic, tmp_path, monkeypatch):
    few = [f"--output={tmp_path / 'a'}", "--no_needs", "--config.evals.ranking.bootstrap_samples=20"]

    def killed(evaluators, recommenders, card, output, *others):
        measure(evaluators, recommenders, card, output, *others)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(run_module, "measure", killed)
        run_module.measure_ladder(str(cyclic), tmp_path / "a", ask_needs=False)
    assert (tmp_path / "a" / "evaluation" / "ranking").is_dir()
    assert main(["ladder", str(cyclic), *few]) == 0
    assert json.loads((tmp_path / "a" / "ladder.json").read_text())["bar"]["rung"]


def test_options_are_chosen_on_validation(cyclic, tmp_path, capsys):
    output = tmp_path / "ladder"
    changes = ["--config.evals.ranking.bootstrap_samples=20"]
    assert main(["ladder", str(cyclic), f"--output={output}", "--tune=3", "--no_needs", *changes]) == 0
    document = json.loads((output / "ladder.json").read_text())
    assert set(document["options"]) == {"item_knn", "sequential_rules", "pctm", "ease"}
    trials = json.loads((output / "tuned" / "pctm" / "sweep.json").read_text())["trials"]
    best = max(trials, key=lambda trial: trial["value"])
    split, rows = leave_one_out(load(cyclic)), load_evaluation(output).results
    config = ladder_config(str(cyclic), None, {})
    default = evaluator_on(config, "ranking", split, split.train, "valid").run(PCTM().fit(split.train))
    chosen = best["params"] if best["value"] > default.values()["ndcg@10"] else {}
    assert {key: str(value) for key, value in document["options"]["pctm"].items()} == chosen
    assert ("pctm_tuned" in rows) == bool(chosen) and "chosen on validation" in capsys.readouterr().out
    assert {name for name, own in document["options"].items() if own} == {
        name.removesuffix("_tuned") for name in rows if name.endswith("_tuned")
    }


def test_trials_have_the_other_options_of_their_rung(cyclic, tmp_path):
    """A rung that does not fit is left out, and the others are tuned all the same."""
    output = tmp_path / "ladder"
    changes = ["--config.baselines.item_knn.weights=log", "--config.baselines.ease.most_items=39"]
    changes += ["--config.evals.ranking.bootstrap_samples=20"]
    assert main(["ladder", str(cyclic), f"--output={output}", "--tune=2", "--no_needs", *changes]) == 0
    settings = json.loads((output / "tuned" / "item_knn" / "sweep.json").read_text())["settings"]
    assert settings["changes"]["baselines.baseline.weights"] == "log"
    document = json.loads((output / "ladder.json").read_text())
    assert set(document["options"]) == {"item_knn", "sequential_rules", "pctm"}
    assert set(document["left_out"]) == {"ease"}


def test_wrong_calls_are_said(cyclic, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["ladder", f"--output={tmp_path / 'a'}"])
    assert "name the folder of a log" in capsys.readouterr().err
    assert main(["ladder", str(tmp_path), f"--output={tmp_path / 'a'}"]) == 1
    assert "mu ladder: " in capsys.readouterr().err
    for change, message in (
        ("baselines.ease.l3=4", "l3"),
        ("best.metric=ranking/ndgc@10", "'ranking/ndgc@10' is not measured (did you mean 'valid/ranking/ndcg@10'?)"),
        ("best.metric=nothing", "config.best.metric='nothing' is not measured"),
    ):
        assert main(["ladder", str(cyclic), f"--output={tmp_path / 'a'}", f"--config.{change}"]) == 2
        assert message in capsys.readouterr().err
    gaps = ["--config.baselines.pctm.distance=gaps", "--config.baselines.pctm.gap_minutes=60,10"]
    assert main(["ladder", str(cyclic), f"--output={tmp_path / 'a'}", *gaps]) == 2
    assert "config.baselines.pctm: gap_minutes=(60, 10); they must ascend" in capsys.readouterr().err
    for tune in ([], ["--tune=1"]):  # no sweep of a rung before it is begun
        attributes = ["--config.baselines.pctm.attributes=mood", *tune]
        assert main(["ladder", str(cyclic), f"--output={tmp_path / 'a'}", *attributes]) == 1
        assert "config.baselines.pctm: the table has no column 'mood'" in capsys.readouterr().err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    assert main(["ladder", str(cyclic), f"--output={tmp_path / 'run'}"]) == 2
    assert "is the folder of a run, whose evaluation would be replaced" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]
    lists = ["--config.evals.ranking.list_metrics=novelty", "--config.best.metric=ranking/novelty@10"]
    assert main(["ladder", str(cyclic), f"--output={tmp_path / 'a'}", *lists]) == 2
    assert "'ranking/novelty@10' describes lists and does not say which are better" in capsys.readouterr().err
    assert not (tmp_path / "a").exists(), "no rung was fitted"


def test_a_log_without_a_validation_part_is_measured_with_the_published_options(cyclic, tmp_path, capsys):
    """And what is chosen on validation is not known or refused."""
    rows = (cyclic.parent / "plays.csv").read_text().splitlines()
    parts = {"train": rows[:1] + rows[1:][::2], "test": rows[:1] + rows[1:][1::2]}
    for name, lines in parts.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    parts = {name: [str(tmp_path / f"{name}.csv")] for name in parts}
    import_log([], tmp_path / "log", train=parts["train"], test=parts["test"])
    calls = ["ladder", str(tmp_path / "log"), f"--output={tmp_path / 'a'}"]
    calls += ["--config.split.name=mu.data.logs.splits:predefined", "--config.evals.ranking.bootstrap_samples=20"]
    assert main(calls) == 0
    assert "does the log need" in capsys.readouterr().out
    assert main([*calls, "--tune=2"]) == 2
    assert "has no validation plays to choose options on" in capsys.readouterr().err


def test_histories_are_shuffled_alike_in_any_block(cyclic):
    log = load(cyclic)
    whole = shuffled(log, 0)
    assert not np.array_equal(whole.items, log.items) and np.array_equal(whole.times, log.times)
    for user in (0, 7, 299):
        assert sorted(whole.row(user)) == sorted(log.row(user))
        np.testing.assert_array_equal(shuffled(log.take(np.array([user])), 0).items, whole.row(user))
    model, users = ShuffledHistories(PCTM()).fit(log), np.arange(20)
    direct = PCTM().fit(whole).scores(users, whole.take(users))
    np.testing.assert_array_equal(model.scores(users, log.take(users)), direct)


def test_every_order_is_as_likely_whatever_the_tracks_and_their_places():
    """A track that always has the same place goes to no place more than to another."""
    random, n = np.random.default_rng(0), 24_000
    items = random.integers(0, 30, (n, 4)) + 30 * np.arange(4)  # 30 tracks at each place
    log = TrackHistories(np.arange(n + 1) * 4, items.ravel().astype(np.int32))
    orders = shuffled(log, 0).items.reshape(n, 4) // 30
    distinct, place = np.unique(orders, axis=0, return_inverse=True)
    assert len(distinct) == 24
    counts = np.bincount(place.ravel())
    assert (np.square(counts - n / 24) / (n / 24)).sum() < 60  # chi squared of 23 degrees of freedom
    of_one_track = orders[items[:, 0] == 5]
    assert abs((of_one_track[:, 3] == 0).mean() - 1 / 4) < 0.07
    again = (shuffled(log, 1).items.reshape(n, 4) // 30 == orders).all(axis=1)
    assert abs(again.mean() - 1 / 24) < 0.01
