"""The audit of what is installed finds what is unpinned, of another version, or under a licence nobody looked at."""

from email.message import Message
from importlib.metadata import Distribution, distribution

import pytest

from tests.dependencies import CONSTRAINTS, Fault, closure, licences_of, pins, unlicensed, unpinned


class Made(Distribution):
    """A distribution with these metadata."""

    def __init__(self, version: str = "1.0", **metadata: str) -> None:
        self._message = Message()
        self._message["Version"] = version
        for name, value in metadata.items():
            self._message[name.replace("_", "-")] = value

    @property
    def metadata(self) -> Message:  # type: ignore[override] # as importlib does it
        return self._message

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: object) -> object:  # type: ignore[override]
        raise NotImplementedError


def test_all_that_is_needed_is_found_through_others() -> None:
    found = closure("dermacite")
    assert {"dermacite", "litestar", "msgspec", "torch", "rapidocr", "pytest"} <= set(found)
    assert "pytest" not in closure("dermacite", without=frozenset({"dev"}))


def test_pins_are_read() -> None:
    assert pins("# why\nPy_Yaml==1.2 # because\n\nx==3\n") == {"py-yaml": "1.2", "x": "3"}
    assert pins(CONSTRAINTS.read_text("utf-8"))["litestar"] == distribution("litestar").version


@pytest.mark.parametrize(
    ("pinned", "what"),
    [({}, ["is not pinned; add to constraints.txt: a==1.0"]), ({"a": "2.0"}, ["is 1.0, pinned is 2.0; run: make install"]),
     ({"a": "1.0"}, []), ({"a": "1.0+cpu"}, [])],
)  # fmt: skip
def test_what_is_not_as_pinned_is_told(pinned: dict[str, str], what: list[str]) -> None:
    assert list(unpinned({"a": Made()}, pinned)) == [Fault("a", one) for one in what]


@pytest.mark.parametrize(
    "metadata",
    [
        {"License_Expression": "MIT"}, {"License_Expression": "GPL-3.0-only OR Apache-2.0"},
        {"License_Expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}, {"License": "BSD license, and so on"[:3]},
        {"License_Expression": "Apache-2.0 WITH LLVM-exception"}, {"License": "MIT License\n\nCopyright (c)"},
        {"Classifier": "License :: OSI Approved :: Apache Software License", "License": "see the file"},
    ],
)  # fmt: skip
def test_permissive_licences_pass(metadata: dict[str, str]) -> None:
    assert not list(unlicensed({"a": Made(**metadata)}))


@pytest.mark.parametrize(
    "metadata",
    [
        {}, {"License": "UNKNOWN"}, {"License_Expression": "GPL-3.0-only"}, {"License_Expression": "MIT AND AGPL-3.0-only"},
        {"Classifier": "License :: OSI Approved :: GNU Affero General Public License v3", "License": "MIT"},
        {"Classifier": "License :: Other/Proprietary License"},
    ],
)  # fmt: skip
def test_others_are_told(metadata: dict[str, str]) -> None:
    [fault] = unlicensed({"a": Made(**metadata)})
    assert "decide" in fault.what


def test_of_several_stated_licences_one_may_be_chosen() -> None:
    assert licences_of(Made(License_Expression="MIT OR X")) == [["MIT", "X"]]
