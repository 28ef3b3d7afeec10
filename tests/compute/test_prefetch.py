"""Reading ahead: the same items in the same order, errors where they belong, and no thread left behind."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from calokit.compute.device import CPU, Device
from calokit.compute.prefetch import Prefetch, ahead_of


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "prefetch"]


def test_same_items_in_the_same_order() -> None:
    with Prefetch(iter(range(100)), ahead=3) as items:
        assert list(items) == list(range(100))
        assert next(items, "over") == "over"
    assert not threads()


def test_it_reads_ahead_but_not_far() -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    with Prefetch(source(), ahead=2) as items:
        assert next(items) == 0
        time.sleep(0.2)
        assert len(read) == 4  # one taken, two waiting, one in hand
        assert list(items) == list(range(1, 50))


def test_errors_come_where_the_item_would_have() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("the second is broken")

    with Prefetch(source()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="the second is broken"):
            next(items)
    assert not threads()


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_an_endless_source_is_left_behind(taken: int) -> None:
    with Prefetch(itertools.count()) as items:
        assert list(itertools.islice(items, taken)) == list(range(taken))
    assert not threads()


def test_an_error_of_the_reader_ends_the_thread() -> None:
    with pytest.raises(KeyboardInterrupt), Prefetch(itertools.count()):
        raise KeyboardInterrupt
    assert not threads()


def test_only_an_accelerator_is_read_ahead_for() -> None:
    items = iter([1, 2])
    with ahead_of(items, CPU) as same:
        assert same is items
    with ahead_of(items, Device("cuda:0")) as read:
        assert isinstance(read, Prefetch)
        assert list(read) == [1, 2]
