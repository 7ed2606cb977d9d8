"""Work on a cluster: in order, a few at a time, done again when a worker dies, and a clear end when all do."""

from __future__ import annotations

import contextlib
import gc
import os
import time

import pytest

from napari_kmos import cluster
from napari_kmos.cluster import compute_on, connected, current_client
from napari_kmos.errors import EngineError, KmosError

distributed = pytest.importorskip("distributed")


def multiply(factor, number):
    return factor * number


def where(_, number):
    time.sleep(0.01)
    return number, os.getpid()


def fail(_, number):
    if number == 3:
        msg = "the fourth is bad"
        raise KmosError(msg)
    return number


def die_once(folder, number):
    if number == 5 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(1)
    return number


def test_results_come_in_order_from_both_processes(cluster_address):
    assert current_client() is None
    with connected(cluster_address) as client:
        assert current_client() is client
        assert list(compute_on(client, multiply, 3, [(n,) for n in range(40)])) == [3 * n for n in range(40)]
        found = list(compute_on(client, where, None, [(n,) for n in range(40)]))
    assert [number for number, _ in found] == list(range(40))
    assert len({pid for _, pid in found}) == 2
    assert current_client() is None


def test_few_are_handed_over_at_a_time(cluster_address):
    asked = []
    items = ((asked.append(n) or n,) for n in range(1000))
    with connected(cluster_address) as client, contextlib.closing(compute_on(client, multiply, 1, items)) as results:
        assert [next(results) for _ in range(10)] == list(range(10))
    assert len(asked) <= 10 + 4


def test_an_error_of_the_work_is_that_of_the_caller(cluster_address):
    with connected(cluster_address) as client:
        results = compute_on(client, fail, None, [(n,) for n in range(9)])
        with pytest.raises(KmosError, match="the fourth is bad"):
            list(results)


def test_work_of_a_worker_that_dies_is_done_again(cluster_address, tmp_path):
    with connected(cluster_address) as client:
        assert list(compute_on(client, die_once, tmp_path, [(n,) for n in range(20)])) == list(range(20))
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (distributed.KilledWorker("combine", None, 3), "several workers died over the same planes"),
        (distributed.CancelledError("combine"), "it gave the work up"),
    ],
)
def test_a_cluster_that_fails_is_told(error, said):
    class Failing:
        def result(self, timeout):
            raise error

    with pytest.raises(EngineError, match=f"dask cluster: {said}"):
        cluster._wait(None, Failing())


def test_a_cluster_without_workers_is_told(monkeypatch):
    monkeypatch.setattr(cluster, "_WORKERLESS_SECONDS", 1.5)
    options = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as made, connected(made.scheduler_address) as client:
        results = compute_on(client, multiply, 1, [(0,)])
        with pytest.raises(EngineError, match="out of reach or has no workers any more"):
            next(results)


def test_no_scheduler_is_told_within_seconds(monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    start = time.monotonic()
    nobody = connected("tcp://127.0.0.1:9")
    with pytest.raises(EngineError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9"), nobody:
        pass
    assert time.monotonic() - start < 5
    assert current_client() is None


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("address", ["nonsense", "", "host:port", "foo://host:8786"])
def test_what_is_no_address_is_told_without_a_traceback(address):
    start = time.monotonic()
    with pytest.raises(EngineError, match=f"no dask scheduler answers at {address}"), connected(address):
        pass
    gc.collect()  # a client that came to nothing would complain now, after 10 s
    assert time.monotonic() - start < 5
