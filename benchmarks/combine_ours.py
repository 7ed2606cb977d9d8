"""Combine as napari-kmos does it without a window, with numba or without; asked over standard input.

The argument is numba or numpy.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from commands import timed
from measuring import serve


def main(kernels: str) -> None:
    """Answer the parent."""
    if kernels == "numpy":
        sys.modules["numba"] = None  # type: ignore[assignment]  # as where it is not installed
    from napari_kmos.recipes.combine import combine

    def combine_files(files: list[str], out: str, **_: Any) -> None:
        combine([Path(file) for file in files], out, overwrite=True)

    serve({"combine": timed(combine_files)})


if __name__ == "__main__":
    main(*sys.argv[1:])
