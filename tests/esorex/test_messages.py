"""What recipes say: levels, and the error that tells what was wrong."""

from __future__ import annotations

import pytest

from napari_kmos.esorex.messages import last_error, message_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[ INFO  ] kmos_combine: [IFU 3] Shifts in x: 1.0 pix", ("INFO", "[IFU 3] Shifts in x: 1.0 pix")),
        ("[WARNING] esorex: Unable to open directory /a b", ("WARNING", "Unable to open directory /a b")),
        ("19:42:12 [ ERROR ] kmos_combine: [tid=000] no: thing", ("ERROR", "no: thing")),
        ("19:42:12 [ INFO  ] : [tid=000] 1 product created", ("INFO", "1 product created")),
        ("     ***** ESO Recipe Execution Tool *****", ("", "***** ESO Recipe Execution Tool *****")),
    ],
)
def test_message_of_a_line(line, expected):
    assert message_of(line) == expected


def test_last_error_is_the_one_that_tells():
    lines = [
        "[ ERROR ] kmos_combine: first",
        "[ ERROR ] kmos_combine: Dumping all 2 error(s):",
        "[ ERROR ] kmos_combine:   [1/2] 'File not found: a' (8) at kmo_load:kmo.c:26",
        "[ ERROR ] kmos_combine:   [2/2] 'Illegal input: bad 'name' 3' (14) at kmos_combine:kmos_combine.c:26",
        "[ ERROR ] esorex: Execution of recipe 'kmos_combine' failed, status = 14",
        "[ INFO  ] esorex: Calculating product checksums",
    ]
    assert last_error(lines) == "Illegal input: bad 'name' 3"
    assert last_error(lines[-2:]) == "Execution of recipe 'kmos_combine' failed, status = 14"
    assert last_error(lines[-1:]) == ""
