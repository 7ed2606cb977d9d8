"""The rules of the house that no linter knows; import-linter holds the levels."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import napari_kmos

PACKAGE = Path(napari_kmos.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
LONGEST_FILE = 300
LONGEST_WIDGET = 200

GUI = ("napari", "qtpy", "magicgui", "superqt", "vispy", "pyqtgraph", "PyQt6", "PySide6")
SLOW = ("specutils", "photutils", "regions", "matplotlib", "reproject")

# The parts that may open files; the methods that do; and what only looks like one.
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


def test_header_keywords_stand_in_instrument_and_io_only():
    found = {
        name: [text for text in strings(path) if text.removeprefix("HIERARCH ").startswith("ESO ")]
        for name, path in SOURCES.items()
        if not name.startswith((*FILE_PARTS, "instrument.py"))
    }
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_files_are_opened_in_io_only():
    found = {
        name: [call for call in calls(path) if opens_file(call)]
        for name, path in SOURCES.items()
        if not name.startswith(FILE_PARTS)
    }
    assert {name: opened for name, opened in found.items() if opened} == {}


def test_files_stay_short():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    widgets = {name for name in SOURCES if name.startswith("_napari/widgets/")}
    longest = {name: LONGEST_WIDGET if name in widgets else LONGEST_FILE for name in SOURCES}
    assert {name: length for name, length in lengths.items() if length > longest[name]} == {}


def opens_file(call: str) -> bool:
    """Whether a call opens a file, as far as its name tells: ``write_text`` of `io` does not, that of a path does."""
    owner, _, method = call.rpartition(".")
    return call == "open" or (bool(owner) and method in OPENERS and call not in NO_FILES)


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
