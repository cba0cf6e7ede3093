"""What is wrong with a folder of published weights is said with the file, the key and the shapes; so is its licence."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mu.pretrained.folder import is_pretrained, load
from mu.pretrained.licence import licence_of
from tests.pretrained.make_reference import FOLDER

QUERY = "audio_spectrogram_transformer.encoder.layer.1.attention.attention.query.weight"


@pytest.fixture
def folder(tmp_path):
    """A copy that a test may spoil."""
    for name in ("config.json", "preprocessor_config.json", "README.md", "model.safetensors"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    return tmp_path


def setting(folder, key, value, name="config.json"):
    settings = json.loads((folder / name).read_text()) | {key: value}
    (folder / name).write_text(json.dumps({k: v for k, v in settings.items() if v is not None}))


def tensors(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("config.json", "model_type", "wav2vec2", "model_type='wav2vec2'; known: .*audio-spectrogram-transformer"),
        ("config.json", "hidden_act", "relu", "hidden_act='relu', and what mu computes is 'gelu'"),
        ("config.json", "hidden_size", None, "config.json lacks the key 'hidden_size'"),
        ("config.json", "hidden_size", "24", "hidden_size='24'; it must be a whole number"),
        ("config.json", "max_length", 96, "max_length=96, and preprocessor_config.json says 64"),
        ("config.json", "num_attention_heads", 5, "dim=24 is not a multiple of heads=5"),
        ("config.json", "num_hidden_layers", 3, r"lacks 16 of the 55 tensors .*layer.2.attention.attention.key"),
        ("preprocessor_config.json", "feature_extractor_type", "Other", "known: ASTFeatureExtractor, MAEST"),
        ("preprocessor_config.json", "mean", "low", "mean='low'; it must be a number"),
        ("preprocessor_config.json", "do_normalize", False, "do_normalize=False, and what mu computes is True"),
    ],
)
def test_settings(folder, name, key, value, message):
    setting(folder, key, value, name)
    with pytest.raises(ValueError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop(QUERY), rf"lacks 1 of the 39 tensors .*{QUERY} \[24, 24\]; it holds"),
        (
            lambda weights: weights.update({QUERY: np.zeros((24, 8), np.float32)}),
            rf"{QUERY} is \[24, 8\] where \[24, 24\] is needed",
        ),
        (
            lambda weights: weights.update({QUERY: np.zeros((24, 24), np.int32)}),
            rf"{QUERY} is I32; tensors of the type",
        ),
        (
            lambda weights: weights.update({f"{QUERY}s": np.zeros(3, np.float32)}),
            rf"does not have: {QUERY}s \(did you mean '{QUERY}'\?\)",
        ),
    ],
)
def test_tensors(folder, change, message):
    tensors(folder, change)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_half_precision_is_read(folder):
    tensors(folder, lambda weights: weights.update({QUERY: weights[QUERY].astype(np.float16)}))
    half, whole = (load(one).params["stack"]["blocks"]["attention"]["query"]["kernel"] for one in (folder, FOLDER))
    assert half.dtype == np.float32 and (half != whole).any()
    np.testing.assert_allclose(half, whole, rtol=1e-3, atol=1e-6)


def test_files_that_are_no_safetensors(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model.safetensors is not a whole safetensors file .*download it again"):
        load(folder)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ValueError, match="it is a pointer of Git LFS"):
        load(folder)
    path.rename(folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"pytorch_model.bin is not read: a pickle can run commands"):
        load(folder)
    assert is_pretrained(folder) and is_pretrained(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="is a file: give the folder"):
        load(folder / "pytorch_model.bin")


def test_weights_in_several_files_or_of_another_name(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(
        FileNotFoundError, match=r"missing \(model-00001-of-.*\): .*rename it to model.safetensors"
    ) as one:
        load(folder)
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"")
    with pytest.raises(
        FileNotFoundError, match=r"00002-of-00002.safetensors are there\): weights in several files"
    ) as two:
        load(folder)
    assert "pickle" not in f"{one.value} {two.value}"


def test_folders_of_something_else(tmp_path):
    assert not is_pretrained(tmp_path) and not is_pretrained(tmp_path / "gone")
    (tmp_path / "config.json").write_text('{"model": {"name": "mu.models.audio_encoder:AudioEncoder"}}')
    assert not is_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "licence"),
    [
        ("README.md", "---\nlicense: bsd-3-clause\n---\n# M\n", {"name": "bsd-3-clause", "link": None}),
        ("README.md", "---\nlicense: [mit, apache-2.0]\n---\n", {"name": "mit, apache-2.0", "link": None}),
        (
            "README.md",
            "---\nlicense: other\nlicense_name: own-terms\nlicense_link: LICENSE\n---\n",
            {"name": "own-terms", "link": "LICENSE"},
        ),
        ("LICENSE", "\nMIT License\n\nCopyright\n", {"name": "MIT License", "link": None}),
    ],
)
def test_licences(tmp_path, name, text, licence):
    (tmp_path / name).write_text(text)
    assert licence_of(tmp_path) == licence | {"file": name}


@pytest.mark.parametrize("text", ["# M\nlicense: mit\n", "---\ntags: [a]\n---\n", "---\nlicense: mit\n", ""])
def test_weights_without_a_licence_are_refused(folder, text):
    (folder / "README.md").write_text(text)
    with pytest.raises(
        ValueError, match="does not say under which licence its weights are: put the model's own README"
    ):
        load(folder)


def test_a_card_that_is_no_yaml(folder):
    (folder / "README.md").write_text("---\nlicense: [mit\n---\n")
    with pytest.raises(ValueError, match="is not YAML"):
        load(folder)
