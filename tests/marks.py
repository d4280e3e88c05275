"""Marks that can be found again wherever they end up, and pictures that carry them."""

import base64
import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo


@dataclass
class Marks:
    """Every mark that was sent, by what it was sent as."""

    sent: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.sent.setdefault(name, f"zq{len(self.sent):03d}{name.replace('_', '')}qz")


def spellings(mark: str) -> set[bytes]:
    """The mark as bytes that a file could hold, in lower case: text, UTF-16 in both orders, hexadecimal, base64 of any of the
    three alignments."""
    plain = mark.encode()
    found = {plain, mark.encode("utf-16-le"), mark.encode("utf-16-be"), plain.hex().encode()}
    for lead in range(3):
        packed = base64.b64encode(bytes(lead) + plain)
        found.add(packed[(0, 2, 3)[lead] : len(packed) // 4 * 4 - 4])
    return {one.lower() for one in found}


def found_in(data: bytes, marks: Marks) -> list[str]:
    lower = data.lower()
    return [name for name, mark in marks.sent.items() if any(one in lower for one in spellings(mark))]


def photograph(marks: Marks, seed: int, kind: str = "JPEG") -> bytes:
    """A picture with marks wherever a camera or a program writes words: EXIF with GPS, XMP, comments, text chunks."""
    noise = np.random.default_rng(seed).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x8298] = marks["exif_description"], marks["exif_artist"], marks["exif_copyright"]
    exif.get_ifd(0x8825).update(
        {1: "N", 2: (47.0, 11.0, 13.37), 0x1D: marks["gps_date"], 0x1C: b"ASCII\0\0\0" + marks["gps_area"].encode()}
    )
    exif.get_ifd(0x8769).update(
        {0x9286: b"UNICODE\0" + marks["exif_comment"].encode("utf-16-le"), 0x927C: marks["maker"].encode()}
    )
    out = io.BytesIO()
    if kind == "JPEG":
        image.save(
            out, kind, exif=exif, comment=marks["jpeg_comment"], xmp=f"<x>{marks['xmp']}</x>".encode(), quality=90
        )
    else:
        words = PngInfo()
        words.add_text("Author", marks["png_text"])
        words.add_itxt("Title", marks["png_title"], zip=True)
        image.save(out, kind, exif=exif, pnginfo=words)
    return out.getvalue()


def tiny(marks: Marks) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", comment=marks["tiny"])
    return out.getvalue()
