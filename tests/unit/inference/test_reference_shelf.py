"""Reference pictures are prepared once, by digest and size, and the least recently used are forgotten."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from inference.prompts import Pixels
from inference.reference_shelf import SIZE, ReferenceShelf
from inference.served import ServedModel
from knowledge.errors import NotFound
from tests.fakes import FakeEngine, served

SIRIUS = served("hikari-sirius", FakeEngine())


class Store:
    """Reads pictures and remembers which."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, digest: str) -> Pixels:
        self.read.append(digest)
        return np.full((1_000, 700, 3), len(digest), np.uint8)


def of_side(side: int) -> ServedModel:
    preprocessing = replace(SIRIUS.profile.preprocessing, longest_side=side)
    return served(replace(SIRIUS.profile, preprocessing=preprocessing), FakeEngine())


def test_a_picture_is_prepared_once_for_all_who_ask() -> None:
    store = Store()
    shelf = ReferenceShelf(store)
    first = shelf.picture("a", SIRIUS)
    assert shelf.picture("a", SIRIUS) is first
    assert first.rgb.shape == (672, 470, 3)
    assert store.read == ["a"]


def test_models_that_see_pictures_in_another_size_have_their_own() -> None:
    store = Store()
    shelf = ReferenceShelf(store)
    assert shelf.picture("a", of_side(336)).rgb.shape == (336, 235, 3)
    assert shelf.picture("a", SIRIUS).rgb.shape == (672, 470, 3)
    assert store.read == ["a", "a"]


def test_the_least_recently_used_is_forgotten_first() -> None:
    store = Store()
    shelf = ReferenceShelf(store)
    small = of_side(8)
    for number in range(SIZE):
        shelf.picture(str(number), small)
    shelf.picture("0", small)
    shelf.picture("one more", small)
    del store.read[:]
    shelf.picture("0", small)
    assert store.read == []
    shelf.picture("1", small)
    assert store.read == ["1"]


def test_a_picture_that_cannot_be_read_is_not_kept() -> None:
    failing = True

    def read(digest: str) -> Pixels:
        if failing:
            raise NotFound("there is no such picture")
        return np.zeros((8, 8, 3), np.uint8)

    shelf = ReferenceShelf(read)
    with pytest.raises(NotFound):
        shelf.picture("a", SIRIUS)
    failing = False
    assert shelf.picture("a", SIRIUS).rgb.shape == (8, 8, 3)


def test_threads_that_ask_at_once_get_the_same_picture() -> None:
    together = threading.Barrier(8)

    def read(digest: str) -> Pixels:
        together.wait(timeout=10)
        return np.zeros((64, 64, 3), np.uint8)

    shelf = ReferenceShelf(read)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: shelf.picture("a", SIRIUS), range(8)))
    assert len({id(part) for part in parts}) == 1
