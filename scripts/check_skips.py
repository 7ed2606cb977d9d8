"""Count a test report, and fail if a test was skipped that needs nothing from elsewhere: check_skips.py JUNIT-XML.

Real files and programs of others (marks realdata and program) are no part of the project, and may be missing.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ELSEWHERE = ("realdata", "program")


def unexpected_skips(cases: list[ET.Element]) -> list[str]:
    """Return the tests that were skipped and may not be, with the reasons."""
    found = []
    for case in cases:
        skipped = case.find("skipped")
        marked = any(entry.get("name") in ELSEWHERE for entry in case.iter("property"))
        if skipped is not None and skipped.get("type") != "pytest.xfail" and not marked:
            found.append(f"{case.get('classname')}.{case.get('name')}: {skipped.get('message')}")
    return found


def main(report: Path) -> int:
    """Print the skips that may not be, and the counts; return the exit status."""
    cases = list(ET.parse(report).iter("testcase"))
    skips = unexpected_skips(cases)
    for skip in skips:
        print(f"skipped, and may not be: {skip}")
    skipped = sum(case.find("skipped") is not None for case in cases)
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    print(f"{len(cases) - skipped - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if skips else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
