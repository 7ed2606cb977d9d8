"""``python -m napari_kmos`` is the command ``napari-kmos``."""

import sys

from napari_kmos.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
