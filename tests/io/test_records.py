import hashlib
import os

import pytest

from napari_kmos.errors import WriteError
from napari_kmos.io import cache, checksum, records


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file taken for a large one."""
    monkeypatch.setattr(records, "_KEPT_BYTES", 8)
    records._digest.cache_clear()
    path = tmp_path / "large.fits"
    path.write_bytes(b"SIMPLE  = T")
    return path


def _refuse(*_, **__):
    msg = "read again"
    raise AssertionError(msg)


def test_the_checksum_of_a_large_file_is_kept_for_the_next_process(large, monkeypatch):
    expected = hashlib.sha256(b"SIMPLE  = T").hexdigest()
    assert checksum(large) == expected
    records._digest.cache_clear()
    monkeypatch.setattr(records, "_read_digest", _refuse)
    assert checksum(large) == expected


def test_the_checksum_of_a_file_written_to_is_computed_anew(large):
    checksum(large)
    large.write_bytes(b"SIMPLE  = F")
    os.utime(large, ns=(1, 1))
    assert checksum(large) == hashlib.sha256(b"SIMPLE  = F").hexdigest()


def test_where_nothing_can_be_kept_it_is_computed(large, monkeypatch):
    def full(*_, **__):
        msg = "the disk is full"
        raise WriteError(msg)

    monkeypatch.setattr(cache, "find_or_make", full)
    assert checksum(large) == hashlib.sha256(b"SIMPLE  = T").hexdigest()
