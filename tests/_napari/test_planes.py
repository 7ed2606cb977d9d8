import dask.array as da
import numpy as np

from napari_kmos._napari.planes import Planes

DATA = np.arange(10 * 3 * 4, dtype=np.float32).reshape(10, 3, 4)


def counted(read: list[int]) -> da.Array:
    def block(block_info=None):
        start, stop = block_info[None]["array-location"][0]
        read.append(start)
        return DATA[start:stop]

    return da.map_blocks(block, chunks=((4, 4, 2), (3,), (4,)), dtype=DATA.dtype, meta=np.empty((0, 0, 0), np.float32))


def test_planes_are_those_of_the_array():
    planes = Planes(da.from_array(DATA, chunks=(4, 3, 4)))
    for plane in (0, 3, 4, 9, -1):
        np.testing.assert_array_equal(planes[plane], DATA[plane])
    np.testing.assert_array_equal(planes[5, 1:, ::2], DATA[5, 1:, ::2])
    for some in (
        slice(2, 7),
        slice(4, 8),
        slice(5, 6),
        slice(9, 10),
        slice(None, None, 3),
        slice(8, 2, -1),
        slice(3, 3),
    ):
        np.testing.assert_array_equal(planes[some, 1], DATA[some, 1])
    np.testing.assert_array_equal(np.asarray(planes), DATA)
    assert (planes.shape, planes.ndim, planes.dtype, len(planes)) == ((10, 3, 4), 3, np.float32, 10)


def test_neighbouring_planes_are_read_once_and_only_two_blocks_are_kept():
    read: list[int] = []
    planes = Planes(counted(read))
    for plane in range(10):
        np.testing.assert_array_equal(planes[plane], DATA[plane])
        np.testing.assert_array_equal(planes[plane : plane + 1], DATA[plane : plane + 1])  # as napari asks
    assert read == [0, 4, 8]
    assert planes[0][0, 0] == 0
    assert read == [0, 4, 8, 0]
