"""The notebooks of colab/: run from top to bottom they show what they say, exercises included.

That run takes minutes and is slow by mark (`make notebook` runs the quickstart's, `make nightly` all); otherwise their
names are looked up. `tests/helpers/store_notebook.py` stores them with their outputs.
"""

import ast
import importlib.metadata
import re
import tomllib

import nbformat
import pytest

from tests.helpers.notebook_solutions import SOLUTIONS
from tests.helpers.processes import ROOT, environment
from tests.helpers.store_notebook import run, without_sound

NOTEBOOKS = sorted((ROOT / "colab").glob("*.ipynb"))
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


def opened(path):
    return nbformat.read(path, as_version=4)


def executed(notebook, folder):
    """The cells of a notebook by their ids, run in a fresh kernel in an empty folder."""
    for name in ("here", "temporary", "ipython"):
        (folder / name).mkdir()
    # The compiler's own flags: that of the tests makes a minute of training two.
    own = {
        "XLA_FLAGS": "",
        "TMPDIR": str(folder / "temporary"),
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": "",
    }
    run(notebook, folder / "here", environment() | own)
    assert list((folder / "here").iterdir()) == []  # what it writes, it writes where it says
    return {cell.id: cell for cell in notebook.cells}


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """The cells of colab/quickstart.ipynb by their ids, as they ran."""
    return executed(opened(ROOT / "colab" / "quickstart.ipynb"), tmp_path_factory.mktemp("notebook"))


def shown(cell):
    """Every kind of output of a cell with all that it holds: {'text/plain': '...', 'stdout': '...'}."""
    found = {}
    for output in cell.outputs:
        held = {output.name: output.text} if output.output_type == "stream" else output.data
        for kind, content in held.items():
            found[kind] = found.get(kind, "") + content
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_stored_as_it_should_be(path):
    """Valid, small, without sound and errors, for any Python 3, and with a badge that opens this very file."""
    notebook = opened(path)
    nbformat.validate(notebook)
    assert path.stat().st_size < 300_000 and "data:audio" not in path.read_text()
    for cell in notebook.cells:
        assert not cell.metadata, cell.id
        assert not any(output.output_type == "error" for output in cell.get("outputs", [])), cell.id
    assert sum(bool(cell.get("outputs")) for cell in notebook.cells) >= 8
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    place = REPOSITORY.removeprefix("https://github.com/")
    assert re.fullmatch(r"[\w-]+/[\w-]+", place)
    badge = f"https://colab.research.google.com/github/{place}/blob/main/{path.relative_to(ROOT).as_posix()}"
    assert f"]({badge})" in notebook.cells[0].source
    assert f'%pip install --quiet -c held.txt "mu-music @ git+{REPOSITORY}"' in notebook.cells[2].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_install_cell_holds_jax_and_its_plugins(path, tmp_path, monkeypatch):
    """pip is held to the versions of JAX's packages that are there: library and CUDA plugin stay of one version."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    calls = []
    source = re.sub(r"(?m)^(\s*)%(.*)$", lambda line: f"{line[1]}run_pip({line[2]!r})", opened(path).cells[2].source)
    exec(source, {"run_pip": calls.append})
    held = (tmp_path / "held.txt").read_text().splitlines()
    for name in ("jax", "jaxlib"):
        assert f"{name}=={importlib.metadata.version(name)}" in held
    assert all(line.startswith("jax") for line in held) and len(calls) == 1


def test_every_exercise_has_a_solution():
    for path in NOTEBOOKS:
        exercises = {cell.id for cell in opened(path).cells if cell.id.startswith("exercise")}
        assert exercises == set(SOLUTIONS.get(path.stem, {})), path.stem


def test_stored_notebooks_are_mute():
    players = '<audio controls src="data:audio/wav;base64,AAAA"></audio><b>4 s</b>'
    output = nbformat.v4.new_output("display_data", {"text/html": players})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    without_sound(notebook)
    assert notebook.cells[0].outputs[0].data["text/html"] == '<audio controls src=""></audio><b>4 s</b>'


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLUTIONS)
def test_others_run_with_the_exercises_solved(name, tmp_path):
    """The assertions of the solutions are part of the run."""
    notebook = opened(ROOT / "colab" / f"{name}.ipynb")
    for cell in notebook.cells:
        cell.source = SOLUTIONS[name].get(cell.id, cell.source)
    executed(notebook, tmp_path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_names_that_its_cells_import_are_there(path):
    """And the attributes of what is imported: a renamed function is seen without a run."""
    cells = [
        re.sub(r"(?m)^(\s*)%.*", r"\1pass", cell.source) for cell in opened(path).cells if cell.cell_type == "code"
    ]
    tree, names = ast.parse("\n".join(cells)), {}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), str(path), "exec"), names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            getattr(names[node.value.id], node.attr)
    assert any(getattr(one, "__module__", "").startswith("mu.") for one in names.values())


@pytest.mark.slow
def test_every_object_is_shown(quickstart):
    for name, words in {
        "imports": "CpuDevice",
        "world": "World(1,000 tracks",
        "data": "sound of 1,000 tracks at 16,000 Hz",
        "split": "Split(global_temporal:",
        "batches": "ListeningBatches(32 rows of 50 plays",
        "task": "NextPlay(",
        "model": "AudioUser(dim=64, ",
        "train": "Testing the weights of step 150",
    }.items():
        found = shown(quickstart[name])
        assert words in found.get("text/plain", "") + found.get("stdout", ""), name
        assert sum(map(len, found.values())) < 4000, f"{name}: nobody reads so much"
    assert shown(quickstart["install"]) == {}
    assert "stderr" not in {kind for cell in quickstart.values() if "outputs" in cell for kind in shown(cell)}


@pytest.mark.slow
def test_tables_pictures_and_players(quickstart):
    for name in ("listener", "recommend", "why", "new", "new-listeners", "results", "compare"):
        assert "<table" in shown(quickstart[name])["text/html"], name
    for name in ("track", "ages"):
        assert len(shown(quickstart[name])["image/png"]) > 5000, name
    for name, players in {"listener-sound": 4, "track": 1, "recommend": 5, "new": 1}.items():
        kind = "mpeg" if name == "recommend" else "wav"
        assert shown(quickstart[name])["text/html"].count(f"data:audio/{kind};base64,") == players, name


@pytest.mark.slow
def test_no_track_is_played_last_and_recommended(quickstart):
    """The history ends where the test begins: what is recommended next has not been played before."""
    pages = (output.get("data", {}).get("text/html", "") for output in quickstart["recommend"].outputs)
    # What is announced while it works is an output, too.
    played, recommended = filter(None, (set(re.findall(r"track-\d{6}", page)) for page in pages))
    assert 0 < len(played) <= 4 and len(recommended) == 5 and not played & recommended


@pytest.mark.slow
def test_new_tracks_are_found_and_the_change_loses_them(quickstart):
    """What the words of the notebook say of its results."""
    lines = shown(quickstart["results"])["text/plain"].splitlines()
    of = {line.split()[0]: [float(word) for word in re.findall(r"(\S+) \[", line)] for line in lines[2:]}
    names = re.findall(r"([a-z][\w -]*), [\d,]+", lines[0].partition("plays")[2])
    weeks = names.index("weeks 1-3")
    assert of["oracle"][weeks] > of["model"][weeks] > 0.1 > of["popularity"][weeks]
    assert of["model"][0] > of["popularity"][0] and names[0] == "discovery"
    rows = re.findall(r"<td>&quot;weeks 1-3&quot;</td>(.*?)</tr>", shown(quickstart["compare"])["text/html"], re.S)
    plays, ours, difference, low, high = (float(value) for value in re.findall(r"<td>([^<]+)</td>", rows[0]))
    assert plays > 100 and 0 < low <= difference <= high and ours == of["model"][weeks]
    (share,) = re.findall(r"among the first (\d+)%", shown(quickstart["new-listeners"])["stdout"])
    assert int(share) < 35
