"""ZAP on the IFUs of a folder, one after the other; run by an interpreter that has it, asked as `measuring.Child` asks.

    python benchmarks/sky_zap.py FOLDER

In the folder are ``object_N.fits`` and ``sky_N.fits``. The eigenspectra are those of the sky cube, as its authors
advise for fields full of sources.
"""

from __future__ import annotations

import logging
import resource
import sys
from importlib.metadata import version
from pathlib import Path

from measuring import seconds, serve


def main(folder: Path) -> None:
    """Answer the parent: the version; the seconds of all IFUs; the most memory in MB."""
    import zap

    logging.disable(logging.INFO)

    def subtract() -> float:
        return seconds(lambda: [_subtract(path) for path in sorted(folder.glob("object_*.fits"))])

    def _subtract(path: Path) -> None:
        sky = path.with_name(path.name.replace("object", "sky"))
        basis = zap.SVDoutput(str(sky))
        out = path.with_name(path.name.replace("object", "zapped"))
        zap.process(str(path), outcubefits=str(out), extSVD=basis, overwrite=True)

    def peak_mb() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

    serve({"version": lambda: version("zap"), "subtract": subtract, "peak_mb": peak_mb})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
