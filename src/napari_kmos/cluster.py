"""Work on a dask.distributed cluster: many pieces of one thing, in their order, a few at a time."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from napari_kmos.errors import EngineError
from napari_kmos.threads import one_blas_thread

if TYPE_CHECKING:
    from distributed import Client, Future

S = TypeVar("S")
R = TypeVar("R")

_CONNECT_SECONDS = 5
#: A cluster without workers for so long gets none any more: a supervised worker that died is back by then.
_WORKERLESS_SECONDS = 30
_POLL_SECONDS = 1.0
#: Results that wait are in the memory of workers, and at last in ours: so many at most, whatever the cluster.
_MOST_AHEAD = 16

_client: ContextVar[Client | None] = ContextVar("client", default=None)


@contextlib.contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler; in the context, and in this thread, `current_client` returns the connection.

    Raises
    ------
    EngineError
        If dask.distributed is not installed, or no scheduler answers within seconds.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import resolve_address
    except ImportError as err:
        msg = "--scheduler needs dask.distributed, which is not installed; pip install distributed"
        raise EngineError(msg) from err
    try:
        resolve_address(address)  # a client of an address it cannot read prints a traceback when it is deleted
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # one that fails would stay it
    except (OSError, ValueError) as err:
        msg = (
            f"no dask scheduler answers at {address} ({err}); start one with `dask scheduler` or leave --scheduler out"
        )
        raise EngineError(msg) from err
    token = _client.set(client)
    try:
        with client:
            yield client
    finally:
        _client.reset(token)


def current_client() -> Client | None:
    """Return the cluster that the caller is to compute on; None for this machine."""
    return _client.get()


def compute_on(
    client: Client, function: Callable[..., R], shared: S, items: Iterable[tuple[Any, ...]]
) -> Generator[R, None, None]:
    """Yield ``function(shared, *item)`` for each item in their order, computed on a cluster.

    Function, shared thing and items are pickled; of files, workers need to see the same. Work of a worker that dies is
    done again by another. Closing the generator cancels what is not done.

    Raises
    ------
    EngineError
        If workers die again and again, none is left, or the scheduler is gone. Errors of the function come as they are.
    """
    # a task rather than data: a worker that dies takes it along, and the scheduler has it made again
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        whole = client.submit(_same, shared, pure=False)
    waiting = iter(items)
    n_ahead = min(_MOST_AHEAD, 2 * max(1, sum(client.nthreads().values())))

    def submit(item: tuple[Any, ...]) -> Future[Any]:
        return client.submit(_call, function, whole, item, pure=False)

    ahead = deque(submit(item) for item in islice(waiting, n_ahead))
    try:
        while ahead:
            result = _wait(client, ahead[0])
            ahead.popleft().release()
            ahead.extend(submit(item) for item in islice(waiting, 1))
            yield result
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone, and that is told already
            client.cancel([whole, *ahead], force=True)


def _same(thing: S) -> S:
    return thing


def _call(function: Callable[..., R], shared: Any, item: tuple[Any, ...]) -> R:
    """Work on one item; in the worker."""
    with one_blas_thread():
        return function(shared, *item)


def _wait(client: Client, future: Future[Any]) -> Any:
    """Wait for a result as long as there is somebody to compute it."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    last_seen = time.monotonic()
    while True:
        try:
            return future.result(timeout=_POLL_SECONDS)
        except TimeoutError as err:
            cause: Exception = err
            if client.status == "running" and client.nthreads():
                last_seen = time.monotonic()
            if time.monotonic() - last_seen < _WORKERLESS_SECONDS:
                continue
            what = "it is out of reach or has no workers any more"
        except KilledWorker as err:
            cause, what = err, "several workers died over the same planes, perhaps for want of memory"
        except (CancelledError, CommClosedError) as err:
            cause, what = err, "it gave the work up"
        msg = f"dask cluster: {what} ({type(cause).__name__}); start again with workers, or without --scheduler"
        raise EngineError(msg) from cause
