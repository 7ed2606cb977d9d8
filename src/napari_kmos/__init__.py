"""Finish KMOS data: sky, offsets, combination and star spectra, in napari, notebooks and scripts."""
