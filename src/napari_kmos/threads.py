"""Work in several threads, without those that linear algebra starts on its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")

#: The disk and numpy let another thread go on meanwhile; more threads need more memory.
_THREADS = 2
_limited = threading.Lock()


def compute_ahead(function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """Yield ``function(item)`` for each item in their order, computed ahead in two threads of `one_blas_thread`.

    Warnings come from these threads, in the order of the work. Closing the generator, which
    `contextlib.closing` does, waits for what has begun and leaves the rest undone.
    """
    waiting = iter(items)
    with one_blas_thread(), ThreadPoolExecutor(_THREADS) as pool:
        # Few are handed over at a time: Python ends only when all that was handed over is done.
        ahead = deque(pool.submit(function, item) for item in islice(waiting, 2 * _THREADS))
        try:
            while ahead:
                result = ahead.popleft().result()
                ahead.extend(pool.submit(function, item) for item in islice(waiting, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it matrices are multiplied and solved in the thread that asks.

    Those of an IFU are so small that to share them out costs more than it saves, the more so where our own threads keep
    the processor busy. The limit is that of the process: of several that overlap the first sets and lifts it, as one
    that came later would put back the limit instead of what was before.
    """
    if not _limited.acquire(blocking=False):
        yield
        return
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        _limited.release()
