"""How things are said."""

from __future__ import annotations

from napari_kmos.words import counted, printable


def test_one_of_something_is_singular():
    assert [counted(number, "star") for number in (0, 1, 2)] == ["0 stars", "1 star", "2 stars"]


def test_what_a_terminal_would_obey_is_written_out():
    """Ends of lines, blanks of any width and letters of any script stay."""
    assert printable("a\x1b[31m\r\x07\x9b\ud800 é\u3000中\n") == "a\\x1b[31m\\r\\x07\\x9b\\ud800 é\u3000中\n"
