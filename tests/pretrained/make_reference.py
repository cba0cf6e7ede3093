"""Makes tests/pretrained/tiny_ast: a seeded Audio Spectrogram Transformer and what Hugging Face's own code computes.

Run by hand with PyTorch and Transformers installed, which mu needs nowhere else: `python -m
tests.pretrained.make_reference`. `test_reference.py` computes the same again where they are installed.
"""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "tiny_ast"
EXPECTED = "expected.safetensors"
CARD = "---\nlicense: cc0-1.0\n---\n# Random weights for tests\n"
SAMPLES = (10_480, 4_000)  # of a whole tile, and of a short recording


def waveforms() -> list[np.ndarray]:
    """float32 [N] each: noise with an offset, and a short tone."""
    random = np.random.default_rng(7)
    noise = 0.1 * random.standard_normal(SAMPLES[0]) + 0.02
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SAMPLES[1]) / 16_000)
    return [noise.astype(np.float32), tone.astype(np.float32)]


def model():
    """A model of 2 layers whose values are drawn anew: those that Transformers begins with are zeros and ones."""
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import ASTConfig, ASTForAudioClassification  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        max_length=64,
        num_mel_bins=32,
        time_stride=12,
        frequency_stride=10,
        num_labels=2,
    )
    made = ASTForAudioClassification(config).eval()
    with torch.no_grad():
        for name, value in made.named_parameters():
            value.copy_(torch.randn(value.shape) * (0.3 if value.ndim > 1 else 0.5))
            if "layernorm" in name and name.endswith("weight"):
                value.add_(1.0)
    return made


def extractor():
    """The feature extractor of the model."""
    from transformers import ASTFeatureExtractor  # pyright: ignore[reportMissingImports]

    return ASTFeatureExtractor(num_mel_bins=32, max_length=64)


def expected(made, extract) -> dict[str, np.ndarray]:
    """'input_values' [2, 64, 32], 'last_hidden_state' [2, T, 24] and 'pooler_output' [2, 24]."""
    import torch  # pyright: ignore[reportMissingImports]

    values = [extract(x, sampling_rate=16_000, return_tensors="np")["input_values"][0] for x in waveforms()]
    inputs = np.stack(values).astype(np.float32)
    with torch.no_grad():
        outputs = made.audio_spectrogram_transformer(torch.from_numpy(inputs))
    return {
        "input_values": inputs,
        "last_hidden_state": outputs.last_hidden_state.numpy(),
        "pooler_output": outputs.pooler_output.numpy(),
    }


def main() -> None:
    from safetensors.numpy import save_file

    made, extract = model(), extractor()
    made.save_pretrained(FOLDER)
    extract.save_pretrained(FOLDER)
    save_file(expected(made, extract), FOLDER / EXPECTED)
    (FOLDER / "README.md").write_text(CARD)


if __name__ == "__main__":
    main()
