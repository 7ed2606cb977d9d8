"""Windows as people write them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import KmosError
from napari_kmos.spectral.windows import in_windows, parse_window, parse_windows, windows_text


def test_windows_are_read_as_they_are_written():
    windows = ((2.10, 2.15), (2.20123, 2.28))
    assert parse_windows("2.10-2.15, 2.20123-2.28") == windows
    assert parse_windows(windows_text(windows)) == windows
    assert parse_window(" .9-1 ") == (0.9, 1.0)
    assert windows_text(()) == ""


def test_what_lies_in_windows_that_overlap_touch_and_repeat_ends_included():
    wave = np.append(np.linspace(2.0, 2.4, 41).round(2), np.nan)
    windows = [(2.10, 2.15), (2.12, 2.20), (2.20, 2.22), (2.30, 2.31), (2.30, 2.31), (2.39, 2.36), (0.1, 2.01)]
    by_one = [any(first <= value <= last for first, last in windows) for value in wave]
    np.testing.assert_array_equal(in_windows(wave, windows), by_one)
    assert not in_windows(wave, ()).any()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("2.1", "window '2.1' is not understood; expected micron"),
        ("a-b", "window 'a-b' is not understood"),
        ("2.1-2.2,", "is not understood"),
        ("2.2-2.1", r"window 2\.2-2\.1 does not go upwards"),
        ("2.1-2.2,2.3-2.4", "holds 2 windows; expected one"),
    ],
)
def test_a_window_that_is_not_understood_is_told(text: str, match: str):
    with pytest.raises(KmosError, match=match):
        parse_window(text)
