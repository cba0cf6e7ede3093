"""Who may import whom (DESIGN, section 1), read from every file's syntax tree; and what an import costs."""

import ast
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
LEARNT_BY_SKLEARN = ("classifier", "cross_validation", "linear", "mlp")

# Package -> what it may import beside the standard library and itself; the longest matching name decides.
ALLOWED = {
    "mu_kernels": {"numpy", "numba", "llvmlite"},  # llvmlite is Numba's own
    "mu_kernels._xla": {"mu_kernels", "numpy", "numba", "jax"},
    "mu_kernels.xla": {"mu_kernels._xla"},
    "mu": set(),
    "mu.__main__": {"mu.cli"},
    "mu.cli": {"mu", "mu.names"},
    "mu.console": {"rich"},
    "mu.files": {"filelock"},
    "mu.names": set(),
    "mu.protocols": {"numpy", "mu_kernels", "jax"},  # jax for type checkers only
    "mu.audio": {"jax", "flax", "numpy"},
    "mu.audio.io": {"numpy", "soundfile", "soxr", "mu.audio.files"},
    "mu.audio.files": {"numpy", "soundfile", "mu.audio.mp3"},
    "mu.audio.mp3": {"numpy"},
    "mu.nn": {"jax", "flax", "numpy"},
    "mu.losses": {"jax", "flax", "numpy"},
    "mu.models": {"jax", "flax", "numpy", "mu.nn", "mu.audio"},
    "mu.baselines": {"mu_kernels", "mu.protocols", "numpy", "scipy"},
    **{f"mu.baselines.{name}": {"numpy", "sklearn", "mu.baselines"} for name in LEARNT_BY_SKLEARN},
    "mu.baselines.ratings": {"numpy", "mu.baselines", "mu.data"},
    "mu.baselines.mfcc": {"jax", "numpy", "mu.audio", "mu.baselines"},
    "mu.data": {
        "mu_kernels",
        "mu.audio.io",
        "mu.files",
        "mu.names",
        "mu.protocols",
        "numpy",
        "polars",
        "grain",
        "numba",
        "tensorflow_datasets",
        "array_record",
        "scipy",
        "mirdata",
    },
    "mu.data.features": {"mu_kernels", "mu.protocols", "numpy"},
    "mu.data.crops": {"numpy"},
    "mu.world": {"mu.data", "mu_kernels", "numpy", "numba", "polars"},
    "mu.world.recordings": {"mu.world", "mu_kernels", "numpy", "soundfile"},
    "mu.tasks": {"jax", "flax", "numpy", "mu.losses", "mu.audio", "mu.nn", "mu.protocols", "mu_kernels.xla"},
    "mu.evals": {"mu_kernels", "mu.files", "numpy"},
    "mu.evals.table": {"mu.evals", "rich"},
    "mu.training": {"mu.files", "mu.protocols", "jax", "flax", "optax", "orbax", "numpy", "tensorboardX"},
    "mu.config": {"ml_collections", "mu.names"},
    # Where the parts meet: anything of mu, and what they speak to them in.
    "mu.inference": {
        "mu.data.crops",
        "mu.data.faults",
        "mu.data.features",
        "mu.files",
        "mu.protocols",
        "mu_kernels",
        "jax",
        "flax",
        "numpy",
    },
    "mu.inference.policy": {"mu.files"},
    "mu.evals.protocols": {"mu.evals", "mu.protocols", "mu.data", "mu_kernels", "numpy", "polars"},
    "mu.embedding.probe": {
        "mu.baselines",
        "mu.data",
        "mu.embedding",
        "mu.evals",
        "mu.files",
        "mu.names",
        "numpy",
        "polars",
    },
    "mu.embedding": {
        "mu.audio.io",
        "mu.data",
        "mu.files",
        "mu.inference",
        "mu.names",
        "mu.run",
        "mu.training.provenance",
        "mu_kernels",
        "jax",
        "numpy",
        "polars",
        "soundfile",
    },
    "mu.report": {
        "mu.audio",
        "mu.data",
        "mu.evals",
        "mu.files",
        "mu.inference",
        "mu.protocols",
        "mu_kernels",
        "jax",
        "jinja2",
        "numpy",
        "polars",
        "soundfile",
    },
    "mu.api": {"mu.run", "mu.inference", "mu.evals", "mu.report", "mu.data", "mu.files", "mu.training.state", "numpy"},
    "mu.run": {
        "mu.baselines",
        "mu.config",
        "mu.data",
        "mu.evals",
        "mu.files",
        "mu.inference",
        "mu.nn.table",
        "mu.protocols",
        "mu.training",
        "jax",
        "flax",
        "optax",
        "numpy",
        "ml_collections",
    },
    "mu.train": {"mu.config", "mu.console", "mu.data.loader", "mu.files", "mu.run", "mu.training", "jax"},
    "mu.commands": {"mu", "mu_kernels", "numpy", "polars", "rich", "jax", "ml_collections"},
    "experiments": {"mu.config", "ml_collections"},
}
# A config is seen by these alone.
SEES_CONFIGS = {"mu.config", "mu.run", "mu.train", "mu.commands"}
NEVER = {"tensorflow", "torch"}


def imported(path, module=""):
    """Dotted names of all that a file imports, wherever in it; `from a import b` is a and a.b."""
    names = set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return names


def within(name, roots):
    """Whether a dotted name is one of `roots` or below it."""
    return any(name == root or name.startswith(root + ".") for root in roots)


def owner(module):
    """The entry of ALLOWED for a module: the longest that it lies in; `mu` speaks for mu/__init__.py alone."""
    found = max((name for name in ALLOWED if within(module, [name])), key=len)
    assert found != "mu" or module == "mu", f"{module} has no arrows yet: say in ALLOWED what it may import"
    return found


def forbidden(module, names):
    """What of `names` the module must not import."""
    package = owner(module)
    allowed = ALLOWED[package]

    def fine(name):
        if name.partition(".")[0] in sys.stdlib_module_names or within(name, allowed | ({package} - {"mu"})):
            return True
        # mu itself is empty; a package on the way to what is allowed costs its __init__.
        on_the_way = name in FILES and any(entry.startswith(name + ".") for entry in allowed)
        return name in ("mu", "mu.__version__") or on_the_way

    return sorted(name for name in names if not fine(name))


@pytest.mark.parametrize("module", FILES)
def test_arrows(module):
    assert forbidden(module, imported(FILES[module], module)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.py")), ids=lambda path: path.stem)
def test_experiments_import_the_config_alone(path):
    assert forbidden(f"experiments.{path.stem}", imported(path)) == []


def test_the_rule_sees_what_it_should():
    """Seeded: the arrows that must not be are found."""
    assert forbidden("mu_kernels.csr", {"numpy", "jax"}) == ["jax"]
    assert forbidden("mu_kernels.csr", {"mu.data"}) == ["mu.data"]
    assert forbidden("mu.world.world", {"jax.numpy", "mu.data.logs.splits"}) == ["jax.numpy"]
    assert forbidden("mu.training.step", {"mu", "mu.losses"}) == ["mu.losses"]
    assert forbidden("mu.data.logs.splits", {"flax.nnx", "os.path"}) == ["flax.nnx"]
    assert forbidden("mu.models.sasrec", {"mu.tasks.retrieval", "mu.nn.blocks"}) == ["mu.tasks.retrieval"]
    assert forbidden("experiments.x", {"mu.config", "mu.train"}) == ["mu.train"]


def test_configs_are_seen_where_they_are_read_and_nowhere_else():
    for module, path in FILES.items():
        if not within(module, SEES_CONFIGS):
            assert not any(within(name, {"ml_collections", "mu.config"}) for name in imported(path, module)), module


def test_data_are_read_without_their_importers():
    for module, path in FILES.items():
        if ".importing" not in module and not within(module, {"mu.commands"}):
            assert not [name for name in imported(path, module) if ".importing" in name], module


def test_neither_tensorflow_nor_torch_is_imported():
    for module, path in FILES.items():
        assert not any(within(name, NEVER) for name in imported(path, module)), module


def test_the_bridge_to_jax_is_imported_where_jax_is_spoken():
    """mu_kernels/xla.py and what is behind it bring JAX: the kernels and what uses them on the host must do without."""
    for module, path in FILES.items():
        if any(within(name, {"mu_kernels.xla", "mu_kernels._xla"}) for name in imported(path, module)):
            assert "jax" in ALLOWED[owner(module)] or module == "mu_kernels.xla", module


def test_importing_mu_costs_nothing():
    """Under 0.1 s, said without a clock: nothing but the standard library, and little of it."""
    loaded = run_python(
        "import sys\nbefore = set(sys.modules)\nimport mu, mu.cli\nmu.cli.usage()\n"
        "print(*sorted(set(sys.modules) - before))"
    ).split()
    ours = {name for name in loaded if within(name, {"mu"})}
    assert ours == {"mu", "mu.cli"}
    assert {name.partition(".")[0] for name in set(loaded) - ours} <= sys.stdlib_module_names
    assert len(loaded) < 20


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
