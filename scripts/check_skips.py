"""Fail if a test other than those marked realdata was skipped: scripts/check_skips.py JUNIT-XML."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def unexpected_skips(report: Path) -> list[str]:
    """Return the tests that were skipped and may not be, with the reasons."""
    found = []
    for case in ET.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        marked = any(entry.get("name") == "realdata" for entry in case.iter("property"))
        if skipped is not None and skipped.get("type") != "pytest.xfail" and not marked:
            found.append(f"{case.get('classname')}.{case.get('name')}: {skipped.get('message')}")
    return found


if __name__ == "__main__":
    skips = unexpected_skips(Path(sys.argv[1]))
    print(*(f"skipped: {skip}" for skip in skips), f"{len(skips)} tests skipped that may not be", sep="\n")
    raise SystemExit(1 if skips else 0)
