"""The rules of the house that no linter knows; import-linter holds the levels."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_kmos

PACKAGE = Path(napari_kmos.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
LONGEST_FILE = 300
LONGEST_WIDGET = 200

GUI = ("napari", "qtpy", "magicgui", "superqt", "vispy", "pyqtgraph", "PyQt6", "PySide6")
SLOW = ("specutils", "photutils", "regions", "matplotlib", "reproject")

# The parts that may open files, and the only functions of the others that look as if they did.
FILE_PARTS = ("io/", "esorex/")
OPENERS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "savefig", "savetxt", "loadtxt", "writeto"}
NO_FILES = {"os.open", "webbrowser.open"}


def run_python(code: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_science_and_command_line_work_without_the_gui():
    code = f"""
import sys
for name in {GUI}:
    sys.modules[name] = None  # importing it raises ImportError
import napari_kmos
for name in napari_kmos.__all__:
    getattr(napari_kmos, name)
from napari_kmos.cli import main
for command in main.COMMANDS:
    assert main.main([command, "--help"]) == 0, command
"""
    assert "usage: napari-kmos" in run_python(code)


def test_importing_the_package_and_the_command_imports_nothing_slow():
    code = "import sys, napari_kmos, napari_kmos.cli.main, napari_kmos.io; print(*sys.modules)"
    imported = {name.partition(".")[0] for name in run_python(code).split()}
    assert imported.isdisjoint(SLOW + GUI)


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith((*FILE_PARTS, "instrument.py"))])
def test_header_keywords_stand_in_instrument_and_io_only(name: str):
    keywords = [text for text in strings(SOURCES[name]) if text.startswith(("ESO ", "HIERARCH "))]
    assert keywords == []


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith(FILE_PARTS)])
def test_files_are_opened_in_io_only(name: str):
    assert [call for call in calls(SOURCES[name]) if call.split(".")[-1] in OPENERS and call not in NO_FILES] == []


@pytest.mark.parametrize("name", SOURCES)
def test_files_stay_short(name: str):
    longest = LONGEST_WIDGET if name.startswith("_napari/widgets/") else LONGEST_FILE
    assert len(SOURCES[name].read_text(encoding="utf-8").splitlines()) <= longest


def strings(path: Path) -> Iterator[str]:
    """Yield the string constants of a module, those inside f-strings too, docstrings excepted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.value


def calls(path: Path) -> Iterator[str]:
    """Yield what a module calls, as it is written: ``open``, ``fits.open``, ``self.figure.savefig``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
