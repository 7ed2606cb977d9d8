"""Mosaics of full size that take little disk, and processes that may hold little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

GIB = 2**30
#: A mosaic of the users; in memory flux and noise would take 3.2 GiB each.
FULL = (3072, 433, 650)

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the data of a process")

_WRITER = Path(__file__).parent.parent / "benchmarks" / "mosaic.py"
#: Libraries of linear algebra set memory aside for each core there is: not what is measured here.
_ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def write_sparse_mosaic(path: Path, *, planes: int = FULL[0], strip: int = 8) -> Path:
    """Write a mosaic that has data in every 64th plane, and in all planes of a strip of rows in the middle."""
    words = [sys.executable, _WRITER, path, "--sparse", 64, "--strip", strip, "--planes", planes]
    subprocess.run([str(word) for word in words], check=True, capture_output=True, env={**os.environ, **_ONE_CORE})
    return path


def run_limited(words: Sequence[object], n_bytes: int = GIB) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments in a process whose data (heap, private mappings, stacks) are limited.

    What it maps from files and only reads, it may: the system drops such pages when memory is short.
    """
    return run_python(words, before=["sh", "-c", f'ulimit -d {n_bytes // 1024} && exec "$@"', "sh"])


def run_python(words: Sequence[object], before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and with something before it."""
    command = [*before, sys.executable, *(str(word) for word in words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **_ONE_CORE})
