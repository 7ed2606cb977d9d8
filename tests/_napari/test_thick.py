import numpy as np
import pytest

from napari_kmos._napari.thick import ThickSlice
from napari_kmos.errors import NotKmosError

DATA = np.random.default_rng(5).normal(10, 3, (40, 3, 4)).astype(np.float32)
DATA[7] = np.nan
DATA[5:9, 1, 2] = np.nan


@pytest.mark.parametrize(("how", "function"), [("mean", np.nanmean), ("sum", np.nansum)])
def test_a_window_that_moves_reads_only_the_planes_that_come_and_go(how: str, function):
    read: list[tuple[int, int]] = []

    def load(start: int, stop: int) -> np.ndarray:
        read.append((start, stop))
        return DATA[start:stop]

    thick = ThickSlice(load, DATA[0].nbytes)
    for start, stop in ((0, 8), (1, 9), (4, 12), (30, 40), (33, 40), (31, 39)):
        # float32 results
        np.testing.assert_allclose(thick.project(how, start, stop), function(DATA[start:stop], axis=0), rtol=1e-6)
    assert read == [(0, 8), (0, 1), (8, 9), (1, 4), (9, 12), (30, 40), (30, 33), (39, 40), (31, 33)]


def test_what_failed_leaves_no_half_a_sum_behind():
    broken = [False]

    def load(start: int, stop: int) -> np.ndarray:
        if broken[0] and stop > 8:
            msg = "gone"
            raise NotKmosError(msg)
        return DATA[start:stop]

    thick = ThickSlice(load, DATA[0].nbytes)
    thick.project("mean", 0, 8)
    broken[0] = True
    with pytest.raises(NotKmosError, match="gone"):
        thick.project("mean", 1, 9)
    broken[0] = False
    np.testing.assert_allclose(thick.project("mean", 1, 9), np.nanmean(DATA[1:9], axis=0), rtol=1e-6)


def test_pieces_are_small():
    read: list[int] = []

    def load(start: int, stop: int) -> np.ndarray:
        read.append(stop - start)
        return np.zeros((stop - start, 2, 2), dtype=np.float32)

    ThickSlice(load, 4 * 2**20).project("max", 0, 11)
    assert read == [4, 4, 3]  # 16 MiB each
