"""Makes tests/pretrained/musicnn_expected.safetensors: what the package `musicnn` computes of a synthetic sound.

Run by hand in an environment with TensorFlow, tf_keras, librosa and musicnn (`pip install tensorflow-cpu tf_keras
librosa; pip install --no-deps musicnn`), and mu's folder on PYTHONPATH:
`TF_USE_LEGACY_KERAS=1 python -m tests.pretrained.make_musicnn_reference`.

Its own extractor rounds the mel spectrogram to half precision and multiplies by 10,000 in it, which is infinite for
loud sounds. Here everything is float32; the network, its graph and its weights are the package's.
"""

from pathlib import Path

import numpy as np

EXPECTED = Path(__file__).parent / "musicnn_expected.safetensors"
MODELS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
SAMPLES = 187 * 256  # a tile


def waveform() -> np.ndarray:
    """float32 [47,872]: chords that change twice a second, with noise at the beginning of each."""
    random = np.random.default_rng(12)
    time = np.arange(SAMPLES) / 16_000
    step, within = np.divmod(time, 0.5)
    root = 110.0 * 2 ** (np.array([0, 5, 7, 3, 8, 0])[step.astype(int)] / 12)
    tone = sum(np.sin(2 * np.pi * np.cumsum(root) / 16_000 * ratio) / ratio for ratio in (1, 1.25, 1.5, 2, 4, 6, 9))
    beats = random.standard_normal(SAMPLES) * np.exp(-within / 0.03)
    return (0.15 * tone * np.exp(-within) + 0.2 * beats).astype(np.float32)


def main() -> None:
    import librosa
    import musicnn  # pyright: ignore[reportMissingImports]
    import tensorflow as tf  # pyright: ignore[reportMissingImports]
    from musicnn import models  # pyright: ignore[reportMissingImports]
    from safetensors.numpy import save_file

    tf.compat.v1.disable_eager_execution()
    mel = librosa.feature.melspectrogram(y=waveform(), sr=16_000, n_fft=512, hop_length=256, n_mels=96).T[:187]
    spectrogram = np.log10(10_000 * mel + 1)
    expected = {"spectrogram": spectrogram.mean(axis=0).astype(np.float32)}
    for key, name in MODELS.items():
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            with tf.name_scope("model"):
                inputs = tf.compat.v1.placeholder(tf.float32, [None, 187, 96])
                outputs = models.define_model(inputs, False, name, 50)
                wanted = dict(zip(("mean_pool", "max_pool", "penultimate"), outputs[-3:], strict=True))
                wanted["tags"] = tf.nn.sigmoid(outputs[0])
            tf.compat.v1.train.Saver().restore(session, f"{Path(musicnn.__file__).parent}/{name}/")
            made = session.run(wanted, {inputs: spectrogram[None]})
        expected |= {f"{key}/{one}": value[0] for one, value in made.items()}
    save_file(expected, EXPECTED)


if __name__ == "__main__":
    main()
