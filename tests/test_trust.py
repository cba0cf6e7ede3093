"""What a saved file may name: mu's own parts, those of the libraries it computes with, and trusted packages."""

import ast
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mu import names, trust
from mu.cli import main
from mu.commands.flags import CommandParser
from mu.config.base import ConfigError, base
from mu.config.overrides import load
from mu.evals.metrics.loading import metric_paths, own_metrics
from mu.evals.result import Result, Statistic
from mu.evals.results import load as load_evaluation
from mu.evals.results import save as save_evaluation
from mu.run.saved_inputs import load_inputs
from mu.run.workdir import run_config
from tests.helpers.processes import environment, run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def nothing_trusted(monkeypatch):
    """Each test begins with mu's own parts alone."""
    monkeypatch.setattr(trust, "_trusted", set())
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.delenv(trust.VARIABLE, raising=False)


def test_every_listed_part_is_one_that_its_module_made():
    for module, attributes in trust.OWN.items():
        for attribute in attributes:
            assert names.locate(f"{module}:{attribute}").__module__ == module


def test_a_class_that_is_seen_in_the_source_is_what_its_module_made():
    """Those are not imported to be checked; what a module only imports, or makes otherwise, is not seen so."""
    seen = 0
    for package in trust.PACKAGES:
        for path in (ROOT / package.replace(".", "/")).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            made = importlib.import_module(module)
            for name, value in vars(made).items():
                own = isinstance(value, type) and value.__module__ == module
                assert trust._defines_class(module, name) == own, (module, name)
                seen += own
    assert seen > 40
    assert not trust._defines_class("mu.baselines.none", "Popularity") and not trust._defines_class("mu.no.way", "x")


def test_whatever_mu_names_itself_is_listed():
    files = [path for folder in ("mu", "experiments", "colab", "docs") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text() for path in (*files, ROOT / "README.md") if path.suffix in (".py", ".md", ".ipynb")]
    found = {name for text in texts for name in re.findall(r"[\"'](mu(?:\.\w+)+:\w+)\\?[\"']", text)}
    # Named by flags alone: what reads a user's own files.
    flags = {name for name in found if ".importing." in name} | {
        "mu.training.writers:TensorBord",
        "mu.suite.music:TASKS",
        "mu.suite.world:TASKS",
    }
    assert len(found) > 40 and flags
    for name in found - flags:
        trust.check(name, "name", "config.json")
    for package in ("mu.evals.metrics", "mu.evals.metrics.clips", "mu.evals.metrics.lists"):
        for path in metric_paths(own_metrics(package), package).values():
            trust.check(path, "metrics", "evaluation.json")
    trust.refuse_untrusted(base().to_dict(), "config.json")


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "subprocess:call",
        "builtins:eval",
        "mu.cli:main",
        "mu.names:locate",
        "mu.config.overrides:load",
        "mu.files:write_whole",
        "mu.files:shutil",
        "mu.train:os",
        "mu.train:os.system",
        "mu.train:train",
        "mu.training.writers:JsonLines",
        "mu.data.logs.interactions:json",
        "mu.data.logs.interactions:tables.read_parquet",
        "mu.evals.metrics.loading:at_cutoffs",
        "mu.evals.metrics.recall:np",
        "mu.evals.protocols.lists:short_lists_notes",
        "mu.evals.protocols.lists:locate",
        "mu.baselines.item_knn:weighting",
        "mu.data.batches.listening:HistoryBatches",
        "mu.tasks.retrieval:losses",
        "mu.models:sasrec",
        "optax:contrib",
        "optax:__builtins__",
        "optax:adam.__globals__",
        "optax._src.base:NamedTuple",
        "flax.nnx:bridge",
        "flax.training.checkpoints:restore_checkpoint",
        "mu.models.sasrec",
        ":system",
        "mu.models.sasrec:SASRec ",
        "a_package_of_nobody:pipes",
        "",
    ],
)
def test_other_names_are_refused_in_one_line_that_says_where(name):
    with pytest.raises(trust.Untrusted) as refused:
        trust.check(name, "data.name", Path("runs/x/config.json"))
    said = str(refused.value)
    assert said.startswith(f"runs/x/config.json names {name!r} (data.name)") and "\n" not in said


def test_the_libraries_own_names_are_called():
    for name in ("optax:adam", "optax:cosine_decay_schedule", "flax.nnx:LayerNorm"):
        trust.check(name, "optimizer.name", "config.json")


def test_names_are_found_wherever_they_stand_and_texts_with_a_colon_are_none():
    config = {
        "data": {"name": "a:load", "columns": ("user_id:token", "x:y"), "path": "C:log"},
        "model": {"name": "b:Model", "inner": [{"deep": {"name": "c:Head"}}]},
        "evals": {
            "ranking": {"name": "d:Ranking", "metrics": ["recall", "e:mine"], "each": {"metrics": {"f": "f:one"}}}
        },
        "writers": ("g:Writer",),
        "tables": {"name": "dense"},
        "new": {"key": "x:y", "rule": "h:rule", "targets": {"columns": "x:y", "name": "i:Target"}},
        "task": {"texts": ["10:30", "a b:c", "http://x", "x"]},
    }
    found = [name for _, name in trust.names_in(config)]
    assert found == ["a:load", "b:Model", "c:Head", "d:Ranking", "e:mine", "f:one", "g:Writer", "h:rule", "i:Target"]


@pytest.mark.parametrize(
    ("module", "gives"),
    [
        ("mu.data.logs.splits", "Split"),
        ("mu.data.clips.folds", "ClipSplit"),
        ("mu.training.optim", "GradientTransformation"),
        ("mu.training.tables", "RowOptimizer"),
    ],
)
def test_every_function_that_makes_a_part_is_listed(module, gives):
    made = {
        name
        for name, one in vars(importlib.import_module(module)).items()
        if inspect.isfunction(one) and one.__module__ == module and not name.startswith("_")
        if getattr(one.__annotations__.get("return"), "__name__", one.__annotations__.get("return")) == gives
    }
    assert made and made == set(trust.OWN[module])


def test_a_new_class_of_a_package_of_parts_is_called_without_being_listed():
    for name in ("mu.models.audio_trunks:ShortChunkCNN", "mu.baselines.linear:Linear"):
        trust.check(name, "model.name", "config.json")


def test_no_key_that_takes_the_names_of_functions_goes_unchecked():
    names_a_function = {"locate", "metric_paths", "weighting", "counted", "pair_weights", "track_totals"}
    names_a_function |= {"example_weights"}
    first_does = {"ListMetrics", "PlayLists"}
    found, arguments = set(), set()
    for path in (path for package in trust.PACKAGES for path in (ROOT / package.replace(".", "/")).glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and function.name == "__init__":
                own = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)} - {"log"}
                arguments |= own
                for call in ast.walk(function):
                    name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
                    if isinstance(call, ast.Call) and name in names_a_function | first_does:
                        named = call.args[:1] if name in first_does else call.args
                        found |= own & {getattr(one, "id", "") for one in named}
    assert found == {"metrics", "list_metrics", "weights", "gains"}
    found |= {name for name in arguments if name.endswith("metrics")}
    assert "tag_metrics" in found and not found & set(trust.NOT_NAMES)


def test_packages_whose_classes_a_saved_file_may_name_write_nothing_and_run_nothing():
    modules = {"subprocess", "shutil", "ctypes", "importlib", "socket", "tempfile", "runpy"}
    calls = {"open", "write_text", "write_bytes", "write_json", "write_whole", "unlink", "rmtree", "system", "remove"}
    calls |= {"save", "savez", "tofile", "write_parquet", "import_module", "mkdir", "rename"}
    found = []
    for path in (path for package in trust.PACKAGES for path in (ROOT / package.replace(".", "/")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found += [f"{path}: {one.name}" for one in node.names if one.name.split(".")[0] in modules]
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in modules:
                found.append(f"{path}: {node.module}")
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found += [f"{path}: {called}"] if called in calls else []
    assert found == []


def write_config(folder, **changes):
    """A run's config.json with other entries."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(json.loads(base().to_json()) | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"name": "os:system", "command": "touch CANARY"}},
        {"model": {"name": "mu.models.sasrec:SASRec", "dim": {"name": "os:system", "command": "touch CANARY"}}},
        {"baselines": {"mine": {"name": "canary:touch"}}},
        {"writers": ["canary:touch"]},
        {"evals": {"ranking": {"name": "mu.evals.protocols.ranking:Ranking", "metrics": ["canary:touch"]}}},
        {"evals": {"ranking": {"name": "mu.evals.protocols.ranking:Ranking", "list_metrics": ["canary:touch"]}}},
        {"evals": {"clips": {"name": "mu.evals.protocols.clips:ClipPrediction", "tag_metrics": ["canary:touch"]}}},
        {"data": {"name": "mu.cli:main", "argv": ["canary:touch"]}},
        {"model": {"name": "mu.models.sasrec:SASRec", "a_key_of_tomorrow": ["canary:touch"]}},
        {"policy": {"name": "canary:touch"}},
    ],
)
def test_a_saved_run_calls_nothing_of_a_stranger(tmp_path, monkeypatch, capsys, changes):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "canary.py").write_text("open('CANARY', 'w').close()\n")
    folder = write_config(tmp_path / "run", **changes)
    for command in ("recommend", "evaluate"):
        assert main([command, str(folder), *(["--user=1"] if command == "recommend" else [])]) in (1, 2)
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and str(folder / "config.json") in said and "is not called" in said
    assert not (tmp_path / "CANARY").exists()


def test_a_file_that_is_no_config_is_refused(tmp_path):
    folder = write_config(tmp_path / "run")
    (folder / "config.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"config\.json holds a list"):
        run_config(folder)


def write_package(folder, name="own_part"):
    """A module with a data source of its own, and with a function of Python's."""
    (folder / f"{name}.py").write_text("from os import system\n\n\ndef load(path=''):\n    return path\n")
    importlib.invalidate_caches()
    return name


def test_a_trusted_package_is_called_and_only_what_it_made_itself(tmp_path, monkeypatch):
    name = write_package(tmp_path, "own_part_a")
    folder = write_config(tmp_path / "run", data={"name": f"{name}:load"})
    with pytest.raises(ConfigError, match=f"have not trusted: .* add --trust={name} or set MU_TRUST={name}"):
        run_config(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [one for one in sys.path if one])
    monkeypatch.setenv(trust.VARIABLE, f"another, {name}")  # the module is found in this folder, as with --trust
    assert run_config(folder).data.name == f"{name}:load"
    with pytest.raises(trust.Untrusted, match=r"posix's|nt's"):
        trust.check(f"{name}:system", "data.name", "config.json")


@pytest.mark.parametrize("package", ["os", "subprocess", "os.path", "my package", "", "../x"])
def test_python_itself_cannot_be_trusted(package, capsys):
    with pytest.raises(ValueError, match="cannot trust"):
        trust.trust(package)
    with pytest.raises(SystemExit, match="2"):
        main(["recommend", "run", f"--trust={package}", "--user=1"])
    assert "mu recommend: error:" in capsys.readouterr().err


def test_the_flag_goes_before_or_after_and_lists_packages():
    parser = CommandParser("mu x", "Does x.", "")
    parser.add_argument("run")
    parser.add_argument("--user")
    flags = parser.parse(["run", "--trust=a,b.c", "--user=1", "--trust", "d"])
    assert vars(flags) == {"run": "run", "user": "1"}
    assert trust.trusted() == {"a", "b.c", "d"}
    trust.trust("package")
    with pytest.raises(trust.Untrusted):
        trust.check("packages:load", "data.name", "config.json")


def test_a_config_of_the_users_own_is_trusted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = write_package(tmp_path, "own_part_b")
    (tmp_path / "config.py").write_text(
        "from mu.config.base import base\n\n\ndef get_config(arg=None):\n    config = base()\n"
        f"    config.data = {{'name': '{name}:load'}}\n    return config\n"
    )
    assert load("config.py").data.name == f"{name}:load"
    assert name in trust.trusted()


def test_modules_beside_the_config_and_in_this_folder_are_found_and_shadow_nothing(tmp_path):
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder, word in ((beside, "beside"), (here, "here")):
        folder.mkdir()
        (folder / "part_of_mine.py").write_text(f"def load(path={word!r}):\n    return path\n")
        (folder / "json.py").write_text("raise SystemExit('a module of Python was replaced')\n")
        (folder / "numpy.py").write_text("raise SystemExit('an installed package was replaced')\n")
    (here / "only_here.py").write_text("def mine(ranks, k):\n    return ranks\n")
    (beside / "config.py").write_text(
        "from mu.config.base import base\nimport json, numpy\n\n\ndef get_config(arg=None):\n    config = base()\n"
        "    config.data = {'name': 'part_of_mine:load'}\n    config.writers = ('only_here:mine',)\n    return config\n"
    )
    code = "import sys; from mu.cli import main; sys.exit(main(sys.argv[1:]))"
    env = environment() | {"PYTHONSAFEPATH": "1"}
    words = ["train", f"--config={beside / 'config.py'}", f"--workdir={tmp_path / 'run'}", "--print_config"]
    printed = run(sys.executable, "-c", code, *words, cwd=here, env=env)
    assert json.loads(printed)["data"] == {"name": "part_of_mine:load", "path": "beside"}


def test_the_class_of_saved_inputs_must_be_trusted(tmp_path):
    (tmp_path / "inference").mkdir()
    for key in ("features", "clips"):
        (tmp_path / "inference" / "card.json").write_text(json.dumps({"split": "", key: "os:system"}))
        with pytest.raises(trust.Untrusted, match=r"card.json names 'os:system'"):
            load_inputs(tmp_path)


def test_the_metrics_of_an_evaluation_must_be_trusted(tmp_path):
    result = Result(
        unit="clip",
        units=np.array(["a", "b"]),
        arrays={"truth": np.array([0, 1])},
        statistics={"f1": Statistic("tests.test_trust:constant", ("truth",))},
    )
    save_evaluation(tmp_path, {"model": result}, {}, samples=2)
    with pytest.raises(trust.Untrusted, match=r"evaluation.json names 'tests.test_trust:constant'"):
        load_evaluation(tmp_path)
    trust.trust("tests")
    assert load_evaluation(tmp_path).rows["model"]["f1"].value == 1


def constant(truth, weights):
    """1 for each weighting."""
    del truth
    return weights[:, 0] * 0 + 1


def test_nothing_reads_pickles_or_evaluates_texts():
    files = [path for folder in ("mu", "kernels/mu_kernels", "experiments") for path in (ROOT / folder).rglob("*.py")]
    unsafe = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib", "yaml"}
    found = []
    allowed = {
        "mu/config/overrides.py: exec_module",  # the config of `mu train`, a program of the user's
        "mu/pretrained/licence.py: yaml",  # `safe_load` makes plain values alone
        "mu/pretrained/torch_checkpoint.py: pickle",  # whatever it names is an inert record: nothing is called
    }
    for path in files:
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{where}: {name}" for name in modules if name.split(".")[0] in unsafe]
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                builtin = isinstance(node.func, ast.Name) and called in ("eval", "exec", "compile", "__import__")
                if builtin or called in ("exec_module", "read_pickle"):
                    found.append(f"{where}: {called}")
                if ast.unparse(node.func).startswith("yaml.") and called != "safe_load":
                    found.append(f"{where}: yaml.{called}")
                pickles = [one for one in node.keywords if one.arg == "allow_pickle"]
                if any(not isinstance(one.value, ast.Constant) or one.value.value is not False for one in pickles):
                    found.append(f"{where}: allow_pickle")
    assert len(files) > 200 and set(found) == allowed
