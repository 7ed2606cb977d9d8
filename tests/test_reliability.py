"""Steps that are killed, or lose their folders or inputs, lose nothing else: the scripts in short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPTS = Path(__file__).parents[1] / "benchmarks"
_CALLS = {
    "kills.py": ("--kills", "4", "--seed", "7", "--steps", "combine"),
    "full_disk.py": ("--writers", "crop", "--cases", "vanishes,input changes"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the scripts fork")
@pytest.mark.parametrize("script", _CALLS)
def test_nothing_is_lost(script):
    """On the smallest of nights; no limit is a matter of chance, the moments of the kills only."""
    words = [sys.executable, _SCRIPTS / script, "--planes", "64", *_CALLS[script]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
