"""Who may import whom (DESIGN, section 2), read from every file's syntax tree; and what an import costs."""

import ast
import functools
import sys
from pathlib import Path

import pytest

from tests.helpers.processes import run_python

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): path
    for base in (ROOT, ROOT / "kernels")
    for package in ("mu", "mu_kernels")
    for path in sorted((base / package).rglob("*.py"))
}
# Package -> what of mu it may import beside itself (DESIGN, section 2); the longest matching name decides. Whatever
# stands here is imported somewhere in the package: an arrow that nobody needs any more is taken out.
ARROWS = {
    "mu_kernels": set(),
    "mu": set(),
    "mu.__main__": {"mu.cli"},
    "mu.cli": {"mu.console", "mu.interrupts", "mu.names", "mu.own_code"},
    "mu.console": {"mu.durations", "mu.own_code"},
    "mu.durations": set(),
    "mu.own_code": set(),
    "mu.files": set(),
    "mu.gc_pause": set(),
    "mu.histories": set(),
    "mu.interrupts": set(),
    "mu.locks": {"mu.files"},
    "mu.checksums": {"mu.files"},
    "mu.names": set(),
    "mu.ngrams": set(),
    "mu.protocols": {"mu_kernels"},
    "mu.ranges": set(),
    "mu.signatures": set(),
    "mu.topk": {"mu.histories", "mu.protocols", "mu_kernels"},
    "mu.trust": {"mu.names"},
    "mu.config": {"mu.names", "mu.ranges", "mu.signatures", "mu.trust"},
    "mu.audio": set(),
    "mu.nn": set(),
    "mu.losses": set(),
    "mu.models": {"mu.nn", "mu.audio", "mu.ranges", "mu_kernels.xla"},
    "mu.pretrained": {"mu.files", "mu.locks", "mu.models", "mu.names"},
    "mu.tasks": {"mu.losses", "mu.audio", "mu.ngrams", "mu.nn", "mu.protocols", "mu_kernels.xla", "mu.ranges"},
    "mu.data": {
        "mu_kernels",
        "mu.audio.io",
        "mu.checksums",
        "mu.files",
        "mu.locks",
        "mu.names",
        "mu.ngrams",
        "mu.protocols",
        "mu.ranges",
        "mu.trust",
    },
    "mu.data.evidence_features": {"mu.data.features", "mu.protocols", "mu_kernels"},
    "mu.data.features": {"mu.files", "mu.protocols"},
    "mu.baselines": {"mu.protocols", "mu.data", "mu.names", "mu.ranges", "mu.signatures", "mu.topk", "mu_kernels"},
    "mu.baselines.mel_mean": {"mu.audio", "mu.baselines"},
    "mu.baselines.mfcc": {"mu.audio", "mu.baselines", "mu.data"},
    "mu.world": {"mu.data", "mu.files", "mu.locks", "mu_kernels", "mu.ranges", "mu.topk"},
    "mu.training": {"mu.checksums", "mu.files", "mu.protocols", "mu.ranges"},
    "mu.inference": {
        "mu.audio.io",
        "mu.protocols",
        "mu.data.crops",
        "mu.data.evidence_features",
        "mu.data.faults",
        "mu.data.features",
        "mu.files",
        "mu.ranges",
        "mu.topk",
    },
    "mu.inference.policy": {"mu.files", "mu.ranges"},
    "mu.inference.streaming_encoder": {"mu.audio.streaming", "mu.models", "mu.nn.pooling"},
    "mu.evals": {"mu.files", "mu.locks", "mu.names", "mu.trust"},
    "mu.evals.metrics.lists": {"mu.evals", "mu.protocols", "mu_kernels"},
    "mu.evals.protocols": {"mu.evals", "mu.names", "mu.protocols", "mu.data", "mu_kernels", "mu.ranges"},
    "mu.run": {
        "mu.config",
        "mu.console",
        "mu.data",
        "mu.training",
        "mu.evals",
        "mu.inference",
        "mu.baselines",
        "mu.checksums",
        "mu.files",
        "mu.locks",
        "mu.names",
        "mu.nn.evidence",
        "mu.nn.table",
        "mu.protocols",
        "mu.signatures",
        "mu.trust",
        "mu.durations",
    },
    "mu.sweep": {
        "mu.baselines.memory",
        "mu.config",
        "mu.console",
        "mu.data.logs.interactions",
        "mu.evals",
        "mu.files",
        "mu.locks",
        "mu.protocols",
        "mu.run",
        "mu.training.memory",
        "mu.trust",
    },
    "mu.ladder": {
        "mu.baselines",
        "mu.config",
        "mu.data.logs",
        "mu.evals",
        "mu.files",
        "mu.locks",
        "mu.protocols",
        "mu.run.check_metric",
        "mu.run.evaluation",
        "mu.sweep",
        "mu.training.provenance",
    },
    "mu.train": {
        "mu.run",
        "mu.training",
        "mu.config",
        "mu.console",
        "mu.data.loader",
        "mu.files",
        "mu.interrupts",
        "mu.locks",
        "mu.trust",
        "mu.durations",
    },
    "mu.embedding": {
        "mu.audio.io",
        "mu.data",
        "mu.files",
        "mu.inference",
        "mu.locks",
        "mu.names",
        "mu.ngrams",
        "mu.pretrained",
        "mu.protocols",
        "mu.run.learnt",
        "mu.run.restore",
        "mu.training.provenance",
        "mu_kernels",
    },
    "mu.embedding.baselines": {"mu.baselines", "mu.inference", "mu.models"},
    "mu.embedding.probe": {"mu.baselines", "mu.data", "mu.embedding", "mu.evals", "mu.files", "mu.names"},
    "mu.embedding.pairs": {"mu.evals"},
    "mu.suite": {"mu.audio", "mu.data", "mu.embedding", "mu.evals", "mu.files", "mu.names", "mu.world"},
    "mu.report": {
        "mu.audio",
        "mu.data",
        "mu.evals",
        "mu.files",
        "mu.inference",
        "mu.protocols",
        "mu.topk",
        "mu_kernels",
        "mu.durations",
    },
    "mu.api": {"mu.data", "mu.gc_pause", "mu.interface"},
    "mu.interface": {
        "mu.audio.io",
        "mu.config",
        "mu.console",
        "mu.data",
        "mu.embedding",
        "mu.evals",
        "mu.gc_pause",
        "mu.histories",
        "mu.inference",
        "mu.locks",
        "mu.names",
        "mu.protocols",
        "mu.ranges",
        "mu.report",
        "mu.run",
        "mu.signatures",
        "mu.topk",
        "mu.train",
        "mu_kernels",
    },
    "mu.quickstart": {"mu.api", "mu.config", "mu.data", "mu.evals", "mu.files", "mu.locks", "mu.train", "mu.world"},
    "mu.commands": {
        "mu.api",
        "mu.audio.io",
        "mu.config",
        "mu.console",
        "mu.data",
        "mu.embedding",
        "mu.evals",
        "mu.files",
        "mu.inference",
        "mu.interrupts",
        "mu.names",
        "mu.pretrained",
        "mu.quickstart",
        "mu.ranges",
        "mu.report.similar",
        "mu.report.sweep_words",
        "mu.report.table_files",
        "mu.report.taste",
        "mu.run",
        "mu.ladder",
        "mu.suite",
        "mu.sweep",
        "mu.train",
        "mu.training",
        "mu.trust",
        "mu.world",
        "mu.durations",
    },
    "experiments": {"mu.config"},
}
OF_PLAY_MATRICES = (
    "context_popularity",
    "ease",
    "gf_cf",
    "item_knn",
    "neighbours",
    "play_matrix",
    "rp3beta",
    "sparse_ease",
    "user_knn",
)
LEARNT_BY_SKLEARN = ("classifier", "cross_validation", "linear", "mlp")
# Package -> the packages of others that it may import, likewise.
LIBRARIES = {
    "mu_kernels": {"numpy", "numba", "llvmlite"},  # llvmlite is Numba's own
    "mu_kernels._xla": {"numpy", "numba", "jax"},
    "mu_kernels.xla": set(),
    "mu": set(),
    "mu.console": {"rich"},
    "mu.histories": {"numpy"},
    "mu.ngrams": {"numpy"},
    "mu.topk": {"numpy"},
    "mu.protocols": {"numpy", "jax"},  # jax for type checkers only
    "mu.config": {"ml_collections"},
    "mu.audio": {"jax", "numpy"},
    "mu.audio.io": {"numpy", "soundfile", "soxr"},
    "mu.audio.files": {"numpy", "soundfile"},
    "mu.audio.flac": {"numpy", "soundfile"},
    **{f"mu.audio.{name}": set() for name in ("chunks", "layout", "mp3", "ogg")},
    "mu.nn": {"jax", "flax"},
    "mu.losses": {"jax"},
    "mu.models": {"jax", "flax"},
    "mu.models.pesto": {"flax", "jax", "numpy"},
    "mu.pretrained": {"flax"},
    "mu.pretrained.crc32c": {"numpy"},
    "mu.pretrained.importing": {"safetensors"},
    "mu.pretrained.licence": {"yaml"},
    "mu.pretrained.onnx_weights": {"numpy"},
    "mu.pretrained.torch_checkpoint": {"numpy"},
    "mu.pretrained.spectrogram_transformer": {"flax", "jax", "numpy"},
    "mu.pretrained.tensors": {"numpy", "safetensors"},
    "mu.pretrained.settings": set(),
    "mu.pretrained.sorted_table": set(),
    "mu.pretrained.sources": {"numpy"},
    "mu.pretrained.sources.package_files": set(),
    "mu.pretrained.tensorflow_checkpoint": {"numpy"},
    "mu.pretrained.values": {"flax", "jax", "numpy"},
    "mu.pretrained.wire_format": set(),
    "mu.pretrained.zip_damage": set(),
    "mu.tasks": {"jax", "numpy"},
    "mu.data": {"numpy", "polars"},
    "mu.data.evidence_features": {"numpy"},
    "mu.data.features": {"numpy"},
    "mu.data.loader": {"grain", "numpy"},
    "mu.data.logs.importing.bad_rows": {"polars", "zstandard"},
    "mu.data.logs.importing.zstd_stream": {"zstandard"},
    "mu.data.logs.exporting.tfds_writer": {"array_record", "numpy", "polars", "tensorflow_datasets"},
    "mu.data.logs.importing.tfds_source": {"numpy", "polars", "tensorflow_datasets"},
    "mu.data.clips.importing": {
        "array_record",
        "mirdata",
        "mutagen",
        "numpy",
        "polars",
        "scipy",
        "tensorflow_datasets",
    },
    "mu.data.clips.store": {"array_record", "numpy", "polars", "tensorflow_datasets"},
    "mu.baselines": {"numpy"},
    **{f"mu.baselines.{name}": {"numpy", "scipy"} for name in OF_PLAY_MATRICES},
    "mu.baselines.memory": set(),
    "mu.baselines.attributes": {"numpy", "polars", "scipy", "sklearn"},
    "mu.baselines.counting": {"numpy", "scipy"},
    "mu.baselines.mel_mean": {"jax", "numpy"},
    "mu.baselines.mfcc": {"jax", "numpy"},
    **{f"mu.baselines.{name}": {"numpy", "sklearn"} for name in LEARNT_BY_SKLEARN},
    "mu.world": {"numpy"},
    "mu.world.tables": {"numpy", "polars"},
    "mu.world.recordings": {"numpy", "soundfile"},
    "mu.world.works.writing": {"numpy", "soundfile"},
    "mu.training": {"jax", "flax", "optax", "orbax", "numpy", "tensorstore"},
    "mu.training.mlflow_writer": {"mlflow"},
    "mu.training.wandb_writer": {"wandb"},
    "mu.training.writers": {"tensorboardX"},
    "mu.inference": {"jax", "flax", "numpy"},
    "mu.data.neighbours": {"numpy", "scipy"},
    "mu.inference.age_offsets": {"numpy", "scipy"},
    "mu.inference.calibration": {"numpy", "scipy"},
    "mu.inference.policy": set(),
    "mu.evals": {"numpy"},
    "mu.evals.few_units": {"numpy", "scipy"},
    "mu.evals.group_tables": {"polars"},
    "mu.evals.metrics.lists": {"numpy", "scipy"},
    "mu.evals.text_tables": {"rich"},
    "mu.evals.protocols": {"numpy", "polars"},
    "mu.run": {"jax", "flax", "numpy", "ml_collections"},
    "mu.sweep": {"jax", "numpy"},
    "mu.ladder": {"numpy"},
    "mu.train": {"jax"},
    "mu.embedding": {"jax", "numpy", "polars", "soundfile"},
    "mu.embedding.baselines": {"flax", "jax", "numpy"},
    "mu.embedding.pairs": {"numpy", "scipy"},
    "mu.suite": {"numpy", "polars"},
    "mu.suite.estimators.features": {"jax", "numpy"},
    "mu.suite.frames": {"mir_eval", "numpy"},
    "mu.suite.world_frames": {"mir_eval", "numpy", "polars"},
    "mu.report": {"jax", "jinja2", "numpy", "polars", "soundfile"},
    "mu.api": set(),
    "mu.interface": {"numpy", "polars"},
    "mu.interface.training": {"ml_collections"},
    "mu.quickstart": set(),
    "mu.commands": {"rich"},
    "experiments": {"ml_collections"},
}
# A config is seen by these alone.
SEES_CONFIGS = {
    "mu.config",
    "mu.run",
    "mu.sweep",
    "mu.ladder",
    "mu.train",
    "mu.interface.training",
    "mu.quickstart",
    "mu.commands",
}
# And the importers of data by these, beside the importers themselves.
IMPORTS_LOGS = {"mu.commands", "mu.interface.logs", "mu.quickstart", "mu.suite"}
NEVER = {"tensorflow", "torch"}
WITH_EXPERIMENTS = FILES | {f"experiments.{path.stem}": path for path in sorted((ROOT / "experiments").glob("*.py"))}


@functools.cache
def tree(module):
    return ast.parse(WITH_EXPERIMENTS[module].read_text(encoding="utf-8"))


def imported(module):
    """Dotted names of all that a module imports, wherever in it; `from a import b` is a.b."""
    names = set()
    package = module.split(".") if WITH_EXPERIMENTS[module].name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            names |= {f"{origin}.{alias.name}" for alias in node.names}
    return names - {"mu.__version__"}


def within(name, roots):
    """Whether a dotted name is one of `roots` or below it."""
    return any(name == root or name.startswith(root + ".") for root in roots)


def ours(name):
    return name.partition(".")[0] in ("mu", "mu_kernels")


def owner(module, table):
    """The entry of a table for a module: the longest that it lies in. `mu` has arrows for mu/__init__.py alone."""
    entry = max((name for name in table if within(module, [name])), key=len)
    assert entry != "mu" or table is LIBRARIES or module == "mu", f"{module} has no arrows yet: say in ARROWS which"
    return entry


def forbidden(module, names):
    """What of `names` the module must not import."""
    package = owner(module, ARROWS)
    arrows, libraries = ARROWS[package] | ({package} - {"mu"}), LIBRARIES[owner(module, LIBRARIES)]
    others = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    return sorted(name for name in others if not within(name, arrows if ours(name) else libraries))


def module_of(name):
    """The module that an imported name is or lies in: 'mu.files' of 'mu.files.write_json'."""
    while name not in FILES:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("module", WITH_EXPERIMENTS)
def test_arrows(module):
    assert forbidden(module, imported(module)) == []


@pytest.mark.parametrize("table", [ARROWS, LIBRARIES], ids=["arrows", "libraries"])
def test_every_allowance_is_used(table):
    used = {package: set() for package in table}
    for module in WITH_EXPERIMENTS:
        used[owner(module, table)] |= imported(module)
    unused = {
        f"{package} -> {entry}"
        for package, allowed in table.items()
        for entry in allowed
        if not any(within(name, [entry]) for name in used[package])
    }
    assert sorted(unused) == []


def test_the_rule_sees_what_it_should():
    """Seeded: the arrows that must not be are found."""
    assert forbidden("mu_kernels.csr", {"numpy", "jax"}) == ["jax"]
    assert forbidden("mu_kernels.csr", {"mu.data"}) == ["mu.data"]
    assert forbidden("mu.world.world", {"jax.numpy", "mu.data.logs.splits"}) == ["jax.numpy"]
    assert forbidden("mu.training.step", {"mu.training.state", "mu.losses"}) == ["mu.losses"]
    assert forbidden("mu.data.logs.splits", {"flax.nnx", "os.path"}) == ["flax.nnx"]
    assert forbidden("mu.models.sasrec", {"mu.tasks.retrieval", "mu.nn.blocks"}) == ["mu.tasks.retrieval"]
    assert forbidden("experiments.x", {"mu.config", "mu.train"}) == ["mu.train"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d", "a"}}) == [["b", "c"]]


def circles(graph):
    """Strongly connected components of more than one node, by Tarjan's algorithm."""
    order, lowest, stack, components = {}, {}, [], []

    def visit(node):
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
            if other in stack:
                lowest[node] = min(lowest[node], lowest[other])
        if lowest[node] == order[node]:
            at = stack.index(node)
            components.append(sorted(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in order:
            visit(node)
    return [component for component in components if len(component) > 1]


def test_modules_do_not_import_in_circles():
    """Imports inside of functions count too: they only hide one."""
    assert circles({name: {module_of(one) for one in imported(name) if ours(one)} for name in FILES}) == []


def test_nothing_imports_commands():
    for module in FILES:
        assert within(module, {"mu.commands"}) or not any(within(one, {"mu.commands"}) for one in imported(module))


def test_private_names_stay_in_their_package():
    """`a._b` is seen below `a`, and `_c` of module `a.b` as well."""
    trespasses = []
    for module in FILES:
        modules = {name.rpartition(".")[2]: name for name in imported(module) if name in FILES}
        reads = {
            f"{modules[node.value.id]}.{node.attr}"
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
        }
        for name in filter(ours, imported(module) | reads):
            parts = name.split(".")
            private = next((at for at, part in enumerate(parts) if part.startswith("_") and part[:2] != "__"), None)
            if private is not None:
                home = ".".join(parts[:private])
                home = home if home not in FILES or FILES[home].name == "__init__.py" else home.rpartition(".")[0]
                trespasses += [] if within(module, {home}) else [f"{module}: {name}"]
    assert trespasses == []


def test_package_files_are_empty():
    """mu has its version there; the kernels, whose users know one name, their public functions."""
    written = {name for name, path in FILES.items() if path.name == "__init__.py" and path.stat().st_size}
    assert written == {"mu", "mu_kernels"}


def test_configs_are_seen_where_they_are_read_and_nowhere_else():
    """Neither imported nor read from an object that has one."""
    for module in FILES:
        if not within(module, SEES_CONFIGS):
            assert not any(within(name, {"ml_collections", "mu.config"}) for name in imported(module)), module
            reads = [ast.unparse(node) for node in ast.walk(tree(module)) if is_config(node)]
            assert reads == [], module


def is_config(node):
    """Whether it is `x.config`, of anything but a library."""
    libraries = ("jax", "numba")
    read = isinstance(node, ast.Attribute) and node.attr == "config"
    return read and not (isinstance(node.value, ast.Name) and node.value.id in libraries)


def test_data_are_read_without_their_importers():
    for module in FILES:
        if ".importing" not in module and not within(module, IMPORTS_LOGS):
            assert not [name for name in imported(module) if ".importing" in name], module


def test_neither_tensorflow_nor_torch_is_imported():
    for module in FILES:
        assert not any(within(name, NEVER) for name in imported(module)), module


def test_the_bridge_to_jax_is_imported_where_jax_is_spoken():
    """mu_kernels/xla.py and what is behind it bring JAX: the kernels and what uses them on the host must do without."""
    for module in FILES:
        if any(within(name, {"mu_kernels.xla", "mu_kernels._xla"}) for name in imported(module)):
            assert "jax" in LIBRARIES[owner(module, LIBRARIES)] or module == "mu_kernels.xla", module


def test_importing_mu_costs_nothing():
    """Under 0.1 s, said without a clock: nothing but the standard library, and little of it."""
    loaded = run_python(
        "import sys\nbefore = set(sys.modules)\nimport mu, mu.cli\nmu.cli.usage()\n"
        "print(*sorted(set(sys.modules) - before))"
    ).split()
    of_mu = {name for name in loaded if within(name, {"mu"})}
    assert of_mu == {"mu", "mu.cli"}
    assert {name.partition(".")[0] for name in set(loaded) - of_mu} <= sys.stdlib_module_names
    assert len(loaded) < 20


def test_importing_the_python_interface_costs_nothing():
    code = "import sys, mu.api\nprint(*{name.partition('.')[0] for name in sys.modules})"
    assert {"jax", "polars", "numpy", "numba", "flax"} & set(run_python(code).split()) == set()


def test_the_kernels_come_without_jax():
    code = "import sys, mu_kernels\nprint(*(name for name in ('jax', 'flax', 'mu', 'polars') if name in sys.modules))"
    assert run_python(code).split() == []


def test_every_module_can_be_imported():
    """An entry point that no test imports is broken one day."""
    failed = run_python(
        "import importlib, traceback\n"
        f"for name in {list(FILES)!r}:\n"
        "    try:\n        importlib.import_module(name)\n"
        "    except Exception:\n        print(name, traceback.format_exc())\n"
    )
    assert failed == ""
