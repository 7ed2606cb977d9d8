"""Reading past the task graph."""

from __future__ import annotations

import subprocess
import sys
import threading

import dask.array as da
import numpy as np
import pytest

from napari_kmos import lazy
from napari_kmos.progress import Cancelled


class _Pieces:
    """Something that dask shows without copying it."""

    shape, ndim, dtype = (6, 3, 4), 3, np.dtype(np.float32)

    def __getitem__(self, key):
        return np.arange(72, dtype=np.float32).reshape(self.shape)[key]


def test_the_original_is_found_only_where_it_is_shown_unchanged():
    pieces = _Pieces()
    array = da.from_array(pieces, chunks=(2, 3, 4), meta=np.empty((0, 0, 0), np.float32))
    assert lazy.original_of(array) is pieces
    for other in (array[1:], array + 1, np.zeros(3)):
        assert lazy.original_of(other) is other


@pytest.mark.parametrize("shape", [(5,), (600, 3), (2, 4, 3)])
def test_spectra_first_turns_a_copy(shape):
    values = np.random.default_rng(1).normal(size=shape)
    turned = lazy.spectra_first(values)
    assert np.array_equal(turned, np.moveaxis(values, 0, -1))
    assert turned.flags.c_contiguous
    assert not np.shares_memory(turned, values)


def test_blocks_cover_everything_within_their_size(monkeypatch):
    monkeypatch.setattr(lazy, "BLOCK_BYTES", 4 * 6 * 4 * 2)
    assert list(lazy.row_blocks((6, 5, 4))) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(lazy.plane_blocks(np.empty((6, 5, 4)), slice(1, 6))) == [slice(1, 3), slice(3, 5), slice(5, 6)]
    assert list(lazy.plane_blocks(np.empty((6, 5, 4)), n_bytes=1)) == [slice(k, k + 1) for k in range(6)]


def test_a_scan_that_is_cancelled_stops(monkeypatch):
    """What is under way when the cancellation comes is finished; the rest of a thousand blocks is not begun."""
    monkeypatch.setattr(lazy, "BLOCK_BYTES", 1)
    used, go_on = [], threading.Event()

    def use(rows):
        used.append(rows)
        if rows.start:
            go_on.wait(30)

    def cancel(*_):
        go_on.set()
        raise Cancelled

    with pytest.raises(Cancelled):
        lazy.scan_rows((2, 1000, 3), use, progress=cancel)
    assert len(used) < 1000


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch):
    monkeypatch.setattr(lazy, "BLOCK_BYTES", 1)

    def use(rows):
        if rows.start == 3:
            msg = "cannot read row 3"
            raise OSError(msg)

    with pytest.raises(OSError, match="cannot read row 3"):
        lazy.scan_rows((2, 10, 3), use)


_AT_THE_END = """
import threading, time
from napari_kmos import lazy
lazy.BLOCK_BYTES = 1
begun, under_way = [], threading.Event()
def use(rows):
    begun.append(rows)
    if len(begun) > 10:
        under_way.set()
    time.sleep(0.05)
threading.Thread(target=lazy.scan_rows, args=((2, 1000, 3), use), daemon=True).start()
under_way.wait()
"""


def test_a_scan_in_another_thread_does_not_keep_python_from_ending():
    """A thousand blocks would take 25 s; those handed over take 0.1 s, and Python itself starts in some seconds."""
    ended = subprocess.run([sys.executable, "-c", _AT_THE_END], check=False, timeout=20, capture_output=True)
    assert ended.returncode == 0
