"""How things are said."""

from __future__ import annotations

from napari_kmos.words import counted


def test_one_of_something_is_singular():
    assert [counted(number, "star") for number in (0, 1, 2)] == ["0 stars", "1 star", "2 stars"]
