"""Hooks of `mkdocs build`: pages made from the code and from files outside docs/, and links that leave docs/.

`make docs` builds the site without network. Made anew at each build are the reference of the Python packages (from
their docstrings), the reference of the commands (from their parsers) and the pages of `ELSEWHERE`.
"""

import contextlib
import io
import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from mu.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
# File of the repository -> its page.
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "benchmarks/README.md": "benchmarks.md",
    "kernels/README.md": "kernels.md",
    "mu/world/README.md": "world.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
REFERENCE = "API reference"
HELP_COLUMNS = "100"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of the packages into the navigation."""
    for section in config.nav or ():
        if isinstance(section, dict) and REFERENCE in section:
            section[REFERENCE] += [{name: reference_page(name)} for name in modules_by_package()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made here."""
    made = {page: (ROOT / source).read_text(encoding="utf-8") for source, page in ELSEWHERE.items()}
    made["reference/commands.md"] = commands()
    made |= {reference_page(package): reference(package, names) for package, names in modules_by_package().items()}
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    for source in ELSEWHERE:
        for picture in (ROOT / source).parent.glob("benchmarks/plots/*.png"):
            uri = picture.relative_to(ROOT).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text of a page, its links to files outside docs/ led to their pages, or to the repository."""
    pages = {page: source for source, page in ELSEWHERE.items()}
    source = pages.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def led(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        if target.startswith("docs/"):
            uri = target.removeprefix("docs/")
        elif target in ELSEWHERE or files.get_file_from_path(target):
            uri = ELSEWHERE.get(target, target)
        elif (ROOT / target).exists():
            kind = "tree" if (ROOT / target).is_dir() else "blob"
            return f"{config.repo_url}{kind}/main/{target}{match[2] or ''}"
        elif target.startswith("reference/"):
            uri = target
        else:
            raise PluginError(f"{source}: there is no {match[1]}, to which it links")
        return posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".") + (match[2] or "")

    if page.file.src_uri.startswith("reference/"):
        return markdown
    fences = [match.span() for match in FENCE.finditer(markdown)]
    return LINK.sub(lambda m: m[0] if any(a <= m.start() < b for a, b in fences) else led(m), markdown)


def modules_by_package() -> dict[str, list[str]]:
    """Package -> its public modules, both sorted."""
    packages: dict[str, list[str]] = {}
    for base in (ROOT, ROOT / "kernels"):
        for top in ("mu", "mu_kernels"):
            for file in sorted((base / top).rglob("*.py")):
                parts = file.relative_to(base).with_suffix("").parts
                if not any(part.startswith("_") for part in parts):
                    packages.setdefault(".".join(parts[:-1]), []).append(".".join(parts))
    return dict(sorted(packages.items()))


def reference_page(package: str) -> str:
    """The page of a package."""
    return f"reference/{package}.md"


def reference(package: str, modules: list[str]) -> str:
    """The text of a package's page: what mkdocstrings makes of each of its modules."""
    return "\n\n".join([f"# {package}", *(f"::: {name}" for name in modules)]) + "\n"


def commands() -> str:
    """The text of the page of all commands: what `mu COMMAND --help` prints."""
    os.environ["COLUMNS"] = HELP_COLUMNS
    parts = ["# Commands", "Made from the commands' parsers: what `mu --help` and `mu COMMAND --help` print."]
    for words in ([], *([name] for name in COMMANDS)):
        parts += [f"## {' '.join(['mu', *words])}", f"```text\n{help_of(words)}```"]
    return "\n\n".join(parts) + "\n"


def help_of(words: list[str]) -> str:
    """What a command prints with --help."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    if not text.getvalue():
        raise PluginError(f"mu {' '.join(words)} --help prints nothing")
    return text.getvalue()
