"""The SkinCAP collection: its columns as the fields of a case.

Its pictures come from Fitzpatrick17k and DDI, and its licence forbids passing them on: nothing of it is part of this
project, and `knowledge.cases` reads the folder a user obtained from its authors.
"""

from collections.abc import Mapping
from typing import Final

LICENCE: Final = "CC-BY-NC-SA-4.0"
EXCLUDED_MESSAGE: Final = "The data set's authors marked this picture 'Do not consider this image'."

_MARKS: Final = frozenset({"skincap_file_path", "disease", "caption_zh_polish_en"})
_SKIN_TONES: Final = {
    **{str(tone): str(tone) for tone in range(1, 7)},  # Fitzpatrick17k: types I to VI
    "12": "1-2",  # DDI: pairs of types
    "34": "3-4",
    "56": "5-6",
}


def is_skincap(columns: frozenset[str]) -> bool:
    """Whether a header (lower-case names) is SkinCAP's, in whichever version and under whichever file name."""
    return columns >= _MARKS


def skincap_file(texts: Mapping[str, str]) -> str:
    """Where the picture lies, relative to the folder; empty when the row names none."""
    name = texts["skincap_file_path"].strip()
    return f"skincap/{name}" if name else ""


def is_excluded(texts: Mapping[str, str]) -> bool:
    """Whether the authors withdrew the picture: the column holds anything but a plain no."""
    mark = texts.get("do not consider this image", "").strip().lower()
    return mark not in {"", "0", "0.0", "false", "no", "nan"}


def skincap_fields(texts: Mapping[str, str]) -> dict[str, str | None]:
    """The fields of a case. There is no group (the partitions are morphology, not our groups), subject or lesion.

    `source` is the collection and the address the picture came from, as far as they are given.
    """
    origin = [texts.get(name, "").strip() for name in ("source", "url")]
    return {
        "label": texts["disease"],
        "caption": texts["caption_zh_polish_en"],
        "skin_tone": _skin_tone(texts),
        "licence": LICENCE,
        "source": " ".join(part for part in origin if part) or None,
    }


def _skin_tone(texts: Mapping[str, str]) -> str | None:
    """`1` to `6`, else a pair such as `3-4`; None for -1 and everything else that is no Fitzpatrick type."""
    for column in ("fitzpatrick_scale", "skin_tone"):
        written = texts.get(column, "").strip().removesuffix(".0")
        if tone := _SKIN_TONES.get(written):
            return tone
    return None
