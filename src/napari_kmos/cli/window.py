"""Whether a window can be opened here: asked of another process, because Qt ends the one in which it cannot."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

_PROBE = """
from qtpy.QtGui import QOpenGLContext
from qtpy.QtWidgets import QApplication
app = QApplication([])
if not QOpenGLContext().create():
    raise SystemExit("no OpenGL on this screen")
"""
_PROBE_SECONDS = 120


def window_problem() -> str:
    """Return why no napari window can be opened here, in one line; empty if one can."""
    if importlib.util.find_spec("napari") is None:
        return "napari is not installed: pip install 'napari-kmos[all]'"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, timeout=_PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"Qt did not start within {_PROBE_SECONDS} s"
    return "" if probe.returncode == 0 else _reason(probe.stderr)


def _reason(stderr: str) -> str:
    """Return the line of Qt's or Python's complaint that says what is missing."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    from_qt = [line.partition(": ")[2] for line in lines if line.startswith("qt.")]
    return (from_qt or lines[-1:] or ["Qt does not start"])[0]


def main() -> int:
    """Print what is wrong, for programs that are not in Python; exit status 1 if anything is."""
    problem = window_problem()
    if problem:
        sys.stdout.write(problem + "\n")
    return 1 if problem else 0


if __name__ == "__main__":
    raise SystemExit(main())
