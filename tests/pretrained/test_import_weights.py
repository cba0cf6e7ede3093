"""`mu import-weights`: a package's files become a folder that loads; what does not fit is listed, and nothing left."""

import json
import sys
import zipfile

import numpy as np
import pytest

from mu.commands.import_weights import main
from mu.pretrained.folder import load
from mu.pretrained.importing import import_weights
from mu.pretrained.sources.package_files import PackageFiles
from mu.pretrained.values import renamed
from tests.helpers.musicnn_package import LICENCE, TAGS, flipped, tensors, write, zipped

KERNEL = "conv2d_3/kernel"


@pytest.fixture(scope="module")
def values():
    return tensors()


@pytest.fixture(scope="module")
def package(values, tmp_path_factory):
    return write(tmp_path_factory.mktemp("site"), values)


def test_the_folder(package, values, tmp_path, capsys):
    assert main(["musicnn", str(tmp_path / "new" / "musicnn"), f"--package={package}"]) == 0
    said = capsys.readouterr().out
    assert "(msd) in" in said and "under isc (LICENSE)" in said
    folder = tmp_path / "new" / "musicnn"
    assert sorted(one.name for one in folder.iterdir()) == ["LICENSE", "README.md", "config.json", "model.safetensors"]
    assert (folder / "LICENSE").read_text() == LICENCE
    assert len({one.stat().st_mode for one in folder.iterdir()}) == 1  # others may read the weights, too
    settings = json.loads((folder / "config.json").read_text())
    assert settings["tags"] == list(TAGS) and settings["trained_on"] == "Million Song Dataset"
    made = load(folder)
    assert made.licence == {"name": "isc", "link": "LICENSE", "file": "README.md"}
    assert (made.sample_rate_hz, made.tile_samples, made.options["tags"]) == (16_000, 187 * 256, list(TAGS))
    np.testing.assert_array_equal(made.params["temporal"][1]["convolution"]["kernel"], values[KERNEL])
    np.testing.assert_array_equal(made.params["mid"][2]["convolution"]["kernel"], values["conv2d_7/kernel"][:, :, 0])
    np.testing.assert_array_equal(made.params["pool_norm"]["mean"], values["batch_normalization_9/moving_mean"])


def test_wherever_the_package_is(package, tmp_path, monkeypatch, capsys):
    """Installed, where it is found and not imported; a wheel; the package's own folder."""
    wheel = zipped(package, tmp_path / "musicnn-0.1.0-py3-none-any.whl")
    monkeypatch.syspath_prepend(str(package))
    ways = {"wheel": [f"--package={wheel}"], "folder": [f"--package={package / 'musicnn'}"], "installed": []}
    written = {}
    for way, flags in ways.items():
        assert main(["musicnn", str(tmp_path / way), *flags]) == 0, capsys.readouterr().err
        written[way] = {one.name: one.read_bytes() for one in (tmp_path / way).iterdir()}
    assert written["wheel"] == written["folder"] == written["installed"]
    assert "musicnn" not in sys.modules


def test_a_package_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["musicnn", str(tmp_path / "out")]) == 1
    assert "`pip install --no-deps musicnn`" in capsys.readouterr().err
    (tmp_path / "cut.whl").write_bytes(b"PK\x03\x04")
    zipped(tmp_path, tmp_path / "other.whl")
    for place, words in {
        "gone.whl": "there is no ",
        "cut.whl": "is no wheel, or is cut off",
        "other.whl": "is the wheel of another package",
        ".": "has no folder 'musicnn'",
    }.items():
        assert main(["musicnn", str(tmp_path / "out"), f"--package={tmp_path / place}"]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a/gamma": None, "a/gama": np.ones(3)}, r"lacks 1 of the model's 3 tensors: a/gamma \[3\] .*'a/gama'\?\)"),
        ({"a/gamma": None, "b": None}, r"lacks 2 of the model's 3 tensors: b \[2, 1\], a/gamma \[3\]$"),
        ({"a/gamma": np.ones(4)}, r"of another size than the model: a/gamma is \[4\] where \[3\] is needed"),
        ({"a/gamna": np.ones(3)}, r"1 tensors that the model does not have: a/gamna \(did you mean 'a/gamma'\?\)"),
        ({"b": np.array([[1.0], [np.nan]])}, r"numbers that are not finite: b$"),
    ],
)
def test_tensors_that_do_not_fit(change, words):
    names = {"norm.scale": "a/gamma", "norm.shift": "a/beta", "layer.kernel": "b"}
    shapes = {"layer.kernel": (2, 1), "norm.scale": (3,), "norm.shift": (3,)}
    whole = {"a/gamma": np.ones(3), "a/beta": np.zeros(3), "b": np.array([[1.0], [2.0]])}
    made = renamed(whole, names, shapes, "x")
    assert list(made) == list(shapes) and made["layer.kernel"].dtype == np.float32
    changed = {name: array for name, array in (whole | change).items() if array is not None}
    with pytest.raises(ValueError, match=f"^x .*{words}"):
        renamed(changed, names, shapes, "x")


def test_a_checkpoint_of_another_network(values, tmp_path, capsys):
    """Said by the command with the file, and nothing is written."""
    values = values | {"conv2d_5/kernel": np.zeros((7, 561, 2, 64), np.float32)}
    assert main(["musicnn", str(tmp_path / "out"), f"--package={write(tmp_path / 'site', values)}"]) == 1
    error = capsys.readouterr().err
    assert (
        "MSD_musicnn/ is of another size" in error and "conv2d_5/kernel is [7, 561, 2, 64] where [7, 561, 64]" in error
    )
    assert [one.name for one in tmp_path.iterdir()] == ["site"]


def test_files_that_do_not_fit(values, tmp_path, capsys):
    """Each fault is put right before the next."""
    site, out = write(tmp_path / "site", values), tmp_path / "out"
    folder = site / "musicnn" / "MSD_musicnn"

    def refused(*flags):
        assert main(["musicnn", str(out), f"--package={site}", *flags]) == 1
        assert not out.exists()
        return capsys.readouterr().err

    assert "MTT_musicnn/config.json is missing (did you mean 'MSD_musicnn/config.json'?)" in refused("--weights=mtt")
    options = (folder / "config.json").read_text()
    (folder / "config.json").write_text(options.replace("512", "1024"))
    assert "n_fft=1024 where it is 512 of MusiCNN: it is another network" in refused()
    for text in ("{", "[]", '{"audio_rep": 3}'):
        (folder / "config.json").write_text(text)
        assert "MSD_musicnn/config.json is no JSON object of options" in refused()
    (folder / "config.json").write_text(options)
    data = (folder / ".data-00000-of-00001").read_bytes()
    (folder / ".data-00000-of-00001").write_bytes(data[:-1])
    assert f"which have {len(data) - 1:,}: they are cut off" in refused()
    (folder / ".data-00000-of-00001").write_bytes(data)
    text = (site / "musicnn" / "configuration.py").read_text()
    (site / "musicnn" / "configuration.py").write_text(text.replace("MSD_LABELS", "LABELS"))
    assert "has no list MSD_LABELS" in refused()
    (site / "musicnn" / "configuration.py").write_text(text)
    (site / "musicnn-0.1.0.dist-info" / "LICENSE.md").unlink()
    (site / "LICENSE").write_text("of whatever lies beside the package")
    missing = f"put it into {site / 'musicnn'}"
    assert (said := refused()).count("the file LICENSE of musicnn is missing") == 1 and missing in said
    (site / "musicnn-0.1.0.dist-info").rmdir()
    assert missing in refused()
    assert missing in refused(f"--package={site / 'musicnn'}")
    (site / "musicnn" / "LICENSE").write_text(LICENCE)
    assert main(["musicnn", str(out), f"--package={site}"]) == 0
    assert (out / "LICENSE").read_text() == LICENCE
    assert main(["musicnn", str(out), f"--package={site}"]) == 1
    assert "out is there already" in capsys.readouterr().err


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("member", ["musicnn/MSD_musicnn/.data-00000-of-00001", "musicnn-0.1.0.dist-info/LICENSE.md"])
def test_a_damaged_wheel(package, tmp_path, capsys, compression, member):
    wheel = zipped(package, tmp_path / "a.whl", compression)
    wheel.write_bytes(flipped(wheel.read_bytes(), member))
    assert main(["musicnn", str(tmp_path / "out"), f"--package={wheel}"]) == 1
    assert f"{wheel}/{member} is cut off or damaged: download it again" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_names_are_checked_before_any_file_is_read(tmp_path):
    """Adapters make paths of them."""
    for name in ("../secret", "tinny", ""):
        with pytest.raises(ValueError, match=f"weights='{name}'.*; crepe ships tiny, full"):
            import_weights("crepe", tmp_path / "out", weights=name, package=tmp_path / "gone")
    with pytest.raises(ValueError, match=r"did you mean 'tiny'"):
        import_weights("crepe", tmp_path / "out", weights="tinny")
    with pytest.raises(ValueError, match=r"source='musicn' \(did you mean 'musicnn'\?\); known: musicnn, "):
        import_weights("musicn", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_wrong_calls(capsys):
    for argv, words in {
        ("musicn", "out"): "invalid choice: 'musicn'",
        ("musicnn", "out", "--weights=fma"): "--weights=fma; musicnn ships msd, mtt",
        ("musicnn",): "OUTPUT",
    }.items():
        with pytest.raises(SystemExit) as stop:
            main(list(argv))
        assert stop.value.code == 2 and words in capsys.readouterr().err


def test_a_name_below_the_package(package):
    files = PackageFiles("musicnn", "musicnn", package)
    assert files.read("MSD_musicnn/config.json").startswith(b"{")
    with pytest.raises(FileNotFoundError, match=r"did you mean 'configuration\.py'"):
        files.read("configuraton.py")


def test_a_table_of_names_that_lacks_one():
    with pytest.raises(ValueError, match=r"the table of names has nothing for layer\.bias"):
        renamed({}, {}, {"layer.bias": (3,)}, "x")
