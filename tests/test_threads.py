"""Work in threads."""

import threading
import warnings

import numpy as np  # noqa: F401, it brings the BLAS
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from napari_kmos import threads


def test_what_is_computed_ahead_comes_in_order_and_its_warnings_and_errors_too():
    late = threading.Event()

    def compute(item):
        if item == 0:
            assert late.wait(10)  # the first is done after the second
        else:
            late.set()
        if item == 7:
            msg = "seven"
            raise ValueError(msg)
        warnings.warn(f"item {item}", UserWarning, stacklevel=1)
        return item**2

    with pytest.warns(UserWarning, match="item") as warned:
        assert list(threads.compute_ahead(compute, range(6))) == [0, 1, 4, 9, 16, 25]
    assert sorted(str(one.message) for one in warned) == [f"item {k}" for k in range(6)]
    with pytest.warns(UserWarning, match="item"), pytest.raises(ValueError, match="seven"):
        list(threads.compute_ahead(compute, range(6, 20)))


def _blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_while_ours_work_and_its_own_again_afterwards():
    def work(_):
        with threads.one_blas_thread():  # as a function does that may be called alone
            pass
        return _blas_threads()

    with threadpool_limits(2, user_api="blas"):
        assert list(threads.compute_ahead(work, range(5))) == [{1}] * 5
        assert _blas_threads() == {2}


def test_blas_has_its_own_threads_again_after_users_that_overlap():
    """The second begins within the first and ends after it."""
    begun, leave = threading.Event(), threading.Event()

    def work():
        with threads.one_blas_thread():
            begun.set()
            assert leave.wait(10)

    with threadpool_limits(2, user_api="blas"):
        second = threading.Thread(target=work)
        with threads.one_blas_thread():
            second.start()
            assert begun.wait(10)
            assert _blas_threads() == {1}
        leave.set()
        second.join(10)
        assert _blas_threads() == {2}
        with threads.one_blas_thread():
            assert _blas_threads() == {1}
