"""Many byte strings are found in files wherever they stand, and nothing else is."""

import random
from pathlib import Path

import pytest

from runtime import traces
from runtime.traces import SHORTEST, Needles


def needle(number: int) -> bytes:
    return f"needle number {number:06d} of many".encode()


@pytest.mark.parametrize("before", range(9))
def test_a_string_is_found_at_whatever_place_it_stands(before: int) -> None:
    data = b"x" * before + needle(7) + b"y"
    assert list(Needles([needle(7), needle(8)]).found_in(data)) == [needle(7)]


def test_what_begins_alike_is_told_apart() -> None:
    needles = Needles([b"the same beginning, end 1", b"the same beginning, end 2"])
    assert list(needles.found_in(b"... the same beginning, end 2 ... the same beginning, end 3")) == [
        b"the same beginning, end 2"
    ]


def test_what_ends_with_the_data_is_found_and_what_is_cut_off_is_not() -> None:
    assert list(Needles([needle(1)]).found_in(b"..." + needle(1))) == [needle(1)]
    assert list(Needles([needle(1)]).found_in(b"..." + needle(1)[:-1])) == []


def test_strings_are_found_across_the_borders_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_CHUNK", 64)
    source = random.Random(0)
    wanted = [needle(number) for number in range(50)]
    data = b"".join(source.randbytes(source.randrange(40)) + one for one in wanted)
    assert sorted(Needles(wanted).found_in(data)) == wanted


def test_short_strings_prove_nothing_and_are_not_sought() -> None:
    assert not Needles([b"a mole", b"x" * (SHORTEST - 1), b""])
    assert list(Needles([b"a mole"]).found_in(b"a mole" * 10)) == []


@pytest.mark.parametrize("data", [b"", b"short", b"12345678"])
def test_little_data_holds_nothing(data: bytes) -> None:
    assert list(Needles([needle(1)]).found_in(data)) == []


def test_files_are_looked_through_and_missing_ones_hold_nothing(tmp_path: Path) -> None:
    file, empty = tmp_path / "file", tmp_path / "empty"
    file.write_bytes(bytes(10_000) + needle(3) + bytes(10_000))
    empty.touch()
    assert Needles([needle(3)]).in_file(file)
    assert not Needles([needle(4)]).in_file(file)
    assert not Needles([needle(3)]).in_file(empty)
    assert not Needles([needle(3)]).in_file(tmp_path / "gone")
