"""TFDS audio data sets stored as ArrayRecord, read without TensorFlow.

TFDS cannot even open a data set with an `Audio` feature where TensorFlow is not installed. So the two files that
describe it are read here: features.json, in which `Audio` is replaced by what is stored (a tensor, or the bytes of a
file), and dataset_info.json, which says what shards there are.
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mu.audio import io
from mu.data.clips.importing.scan import Facts, measure, scan_file
from mu.data.clips.importing.source import AudioSource, clip_table
from mu.files import read_json
from mu.names import nearest

_AUDIO = "tensorflow_datasets.core.features.audio_feature.Audio"
_TENSOR = "tensorflow_datasets.core.features.tensor_feature.Tensor"
_FULL_SCALE = 1 << 15  # integers are samples of 16 bits, whatever type they are stored in


def find(name: str, data_dir: str | None = None, sample_rate_hz: int | None = None) -> AudioSource:
    """The records of `tfds:NAME[/CONFIG][:VERSION][#SPLIT]`; the clip 'train/0042' is record 42 of the split 'train'.

    Args:
      name: the data set, prepared as ArrayRecord.
      data_dir: the folder of TFDS data sets; TFDS's own default without.
      sample_rate_hz: of a data set whose `Audio` feature does not say.

    Raises:
      FileNotFoundError: there is no such data set in the folder.
      ValueError: it holds no audio, or not as ArrayRecord, or the rate is not known; no such split.
    """
    spec, _, split = name.removeprefix("tfds:").partition("#")
    folder = _folder(spec, Path(data_dir) if data_dir else _default_folder(), name)
    info = read_json(folder / "dataset_info.json")
    if info.get("fileFormat") != "array_record":
        raise ValueError(
            f"{name} lies in {folder} as {info.get('fileFormat')}; it must be array_record: "
            f"tfds.builder({spec!r}, file_format='array_record').download_and_prepare()"
        )
    sizes = {one["name"]: sum(map(int, one["shardLengths"])) for one in info["splits"]}
    if split and split not in sizes:
        raise ValueError(f"{name}: no such split{nearest(split, list(sizes))}; it has: {', '.join(sizes)}")
    key, own_rate = _audio_feature(folder, name)
    if own_rate and sample_rate_hz and own_rate != sample_rate_hz:
        raise ValueError(f"--sample_rate_hz={sample_rate_hz}, but {name} says {own_rate}")
    rate = own_rate or sample_rate_hz or 0
    if not rate and not _holds_files(folder, key):
        raise ValueError(f"{name} does not say its sampling rate: say --sample_rate_hz=HZ")
    status = (folder / "dataset_info.json").stat()
    splits = [split] if split else list(sizes)
    clips = [
        (f"{one}/{index:0{len(str(sizes[one] - 1))}d}", status.st_size, status.st_mtime_ns)
        for one in splits
        for index in range(sizes[one])
    ]
    reader = TFDSRecords(str(folder.resolve()), key, rate)
    return AudioSource(f"tfds {reader.folder}#{','.join(splits)}", None, clip_table(clips), None, [], {}, reader)


@dataclasses.dataclass(frozen=True)
class TFDSRecords:
    """Clips that are records of a data set.

    Attributes:
      folder: of the data set's version.
      key: the feature that holds the sound.
      sample_rate_hz: of all records; 0 where each is a file that says it itself.
    """

    folder: str
    key: str
    sample_rate_hz: int

    def scan(self, clip: str) -> Facts:
        record = _record(self.folder, clip)
        audio = record.pop(self.key)
        if isinstance(audio, bytes):
            with _as_file(audio) as (root, name):
                facts = dataclasses.replace(scan_file(root, name), clip=clip)
        else:
            digest = hashlib.sha256(np.ascontiguousarray(audio).tobytes()).hexdigest()
            channels = audio.shape[1] if audio.ndim > 1 else 1
            facts = Facts(clip, "", digest, "TFDS", str(audio.dtype), self.sample_rate_hz, channels, len(audio))
            try:
                measure(facts, iter([x] if (x := _waveform(audio)).size else []))
            except ValueError as error:
                facts.error = str(error)
        facts.attributes = json.dumps({"split": clip.partition("/")[0]} | _scalars(self.folder, record))
        return facts

    def blocks(self, clip: str, sample_rate_hz: int, frames: int) -> Iterator[np.ndarray]:
        audio = _record(self.folder, clip)[self.key]
        if isinstance(audio, bytes):
            with _as_file(audio) as (root, name):
                yield from io.blocks(os.path.join(root, name), sample_rate_hz=sample_rate_hz, frames=frames)
        else:
            mono = _waveform(audio).mean(axis=0, dtype=np.float32)
            yield io.resample(mono, self.sample_rate_hz, sample_rate_hz)


def _waveform(audio: np.ndarray) -> np.ndarray:
    """float32 [channels, N] of what a record holds, [N] or [N, channels]."""
    x = audio.reshape(len(audio), -1).T
    if not np.issubdtype(x.dtype, np.integer):
        return x.astype(np.float32)
    if x.size and max(-int(x.min()), int(x.max())) > _FULL_SCALE:
        raise ValueError(f"samples of {x.dtype} reach beyond 16 bits")
    return (x / np.float32(_FULL_SCALE)).astype(np.float32)


class _as_file(tempfile.TemporaryDirectory[str]):
    """The bytes of a file, as a file, while the context lasts: its folder and name."""

    def __init__(self, content: bytes):
        super().__init__(prefix="mu-audio-")
        self._content = content

    def __enter__(self) -> tuple[str, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (Path(self.name) / "audio").write_bytes(self._content)
        return self.name, "audio"


def _default_folder() -> Path:
    from tensorflow_datasets.core import constants

    return Path(os.path.expanduser(constants.DATA_DIR))


def _folder(spec: str, data_dir: Path, name: str) -> Path:
    """The folder of the newest version, or of the one asked for."""
    short, _, version = spec.partition(":")
    versions = [path.parent for path in (data_dir / short).glob("*/dataset_info.json")]
    versions = [path for path in versions if re.fullmatch(r"\d+\.\d+\.\d+", path.name) and version in ("", path.name)]
    if versions:
        return max(versions, key=lambda path: [int(part) for part in path.name.split(".")])
    infos = [*data_dir.glob("*/*/dataset_info.json"), *data_dir.glob("*/*/*/dataset_info.json")]
    available = sorted({str(path.parent.parent.relative_to(data_dir)) for path in infos})
    there = f"it holds: {', '.join(available)}" if available else "there is none in it"
    raise FileNotFoundError(
        f"{name} is not in {data_dir}{nearest(short, available)}; {there}. Say --data_dir=DIR, or where TensorFlow is "
        f"installed run tfds.builder({spec!r}, file_format='array_record').download_and_prepare()"
    )


def _audio_feature(folder: Path, name: str) -> tuple[str, int]:
    """The feature that holds the sound, and its sampling rate (0: it does not say)."""
    features = read_json(folder / "features.json")["featuresDict"]["features"]
    sounds = [key for key, value in features.items() if value["pythonClassName"] == _AUDIO]
    sounds = sounds or [key for key in ("audio",) if key in features]
    if len(sounds) != 1:
        what = f"several features of audio ({', '.join(sounds)})" if sounds else "no feature of audio"
        raise ValueError(f"{name} has {what}; it has: {', '.join(features)}")
    return sounds[0], int(features[sounds[0]].get("audio", {}).get("sampleRate", 0))


def _holds_files(folder: Path, key: str) -> bool:
    return _features(str(folder))[key].np_dtype == np.object_


@functools.lru_cache(maxsize=4)
def _features(folder: str) -> Any:
    """The data set's features, `Audio` replaced by what is stored for it."""
    import tensorflow_datasets as tfds

    content = read_json(Path(folder) / "features.json")
    for value in content["featuresDict"]["features"].values():
        if value["pythonClassName"] == _AUDIO:
            audio = value.pop("audio")
            stored = {
                "dtype": audio["dtype"],
                "shape": audio.get("shape", {}),
                "encoding": audio.get("encoding", "none"),
            }
            if audio.get("lazyDecode"):
                stored = {"dtype": "object", "shape": {}, "encoding": "none"}
            value |= {"pythonClassName": _TENSOR, "tensor": stored}
    features = tfds.features.FeatureConnector.from_json(content)
    features.load_metadata(folder, None)  # names of classes lie beside
    return features


@functools.lru_cache(maxsize=64)
def _shards(folder: str, split: str) -> Any:
    """All records of a split, by number."""
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    info = read_json(Path(folder) / "dataset_info.json")
    (lengths,) = (one["shardLengths"] for one in info["splits"] if one["name"] == split)
    names = [f"{info['name']}-{split}.array_record-{i:05d}-of-{len(lengths):05d}" for i in range(len(lengths))]
    return ArrayRecordDataSource([os.path.join(folder, name) for name in names])


def _record(folder: str, clip: str) -> dict[str, Any]:
    split, _, index = clip.partition("/")
    return _features(folder).deserialize_example_np(_shards(folder, split)[int(index)])


def _scalars(folder: str, record: dict[str, Any]) -> dict[str, Any]:
    """Text, numbers and lists of text of a record; classes by name."""
    scalars: dict[str, Any] = {}
    for key, value in record.items():
        names = getattr(_features(folder)[key], "names", None)
        value = value.item() if isinstance(value, np.generic) else value
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if names and isinstance(value, int):
            value = names[value] if 0 <= value < len(names) else None
        if isinstance(value, list | np.ndarray) and len(value) and all(isinstance(one, bytes) for one in value):
            scalars[key] = [one.decode("utf-8", "replace") for one in value]
        if value is None or isinstance(value, str | int | float | bool):
            scalars[key] = value
    return scalars
