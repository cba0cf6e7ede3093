"""Two distributions ship this package: mu-music and mu-kernels. Where both are installed, a warning names them."""

import os
import warnings
from pathlib import Path

OWNERS = ("mu_kernels", "mu_music")  # as their .dist-info folders spell them


def warn_of_two(site_folder: Path) -> None:
    """Warns if both distributions are installed in the folder that mu_kernels lies in.

    They overwrite each other's files: uninstalling one takes the files of the other with it.
    """
    names = {name.partition("-")[0] for name in os.listdir(site_folder) if name.endswith(".dist-info")}
    if names.issuperset(OWNERS):
        warnings.warn(
            f"mu-kernels and mu-music are both installed in {site_folder}, and both bring mu_kernels. mu-music has all "
            "of it: run `pip uninstall mu-kernels mu-music`, then `pip install mu-music`",
            stacklevel=3,
        )
