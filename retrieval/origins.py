"""Which original picture a case's declared source names, so that two collections that took over the same one are noticed.

A source names an original by its address, by a file name, or by an identifier with six or more digits in a row, in this
order; the name of a collection ("HAM10000", a site without a path) names none, or all its cases would be one picture.

    "ddi 000042.png"                            -> "000042"
    "fitzpatrick17k https://www.a.org/x/7.jpg"  -> "a.org/x/7.jpg"
    "ISIC archive, ISIC_0024306"                -> "isic_0024306"
    "sample corpus"                             -> ""
"""

import re
from typing import Final

_ADDRESS: Final = re.compile(r"https?://(?:www\.)?([^\s?#/]+/[^\s?#/][^\s?#]*)", re.IGNORECASE)
_FILE: Final = re.compile(r"([^\s/\\,;]+)\.(?:jpe?g|png|webp|heic|heif|avif|tiff?|dcm|bmp|gif)\b", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(r"[\w-]*\d{6,}[\w-]*")


def origin_of(source: str | None) -> str:
    """The original's address, file name (without its ending) or identifier, in lower case; "" where none is named."""
    text = source or ""
    if address := _ADDRESS.search(text):
        return address[1].rstrip("/.,;)").casefold()
    if file := _FILE.search(text):
        return file[1].casefold()
    identifier = _IDENTIFIER.search(text)
    return identifier[0].casefold() if identifier else ""
