"""The documents name only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_kmos.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_readme_lists_every_command():
    listed = re.findall(r"^\| `napari-kmos ([\w-]+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path):
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_exist(document: Path):
    named = re.findall(r"(?:`|^    )napari-kmos ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= set(COMMANDS)


def test_python_example_imports():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (imports,) = re.findall(r"^from napari_kmos import .*$", code, re.MULTILINE)
    exec(imports, {})  # the rest needs the reader's files
