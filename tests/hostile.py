"""Hostile PDFs, written byte by byte so that no library tidies them up. The same call gives the same bytes.

Most hold GOOD on a page of their own beside what is wrong with them: what is sound should survive.
"""

import io
import random
import struct
import zlib
from collections.abc import Sequence

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

GOOD = "Apply a thin layer twice a day."
SECRET = "EVIL-PAYLOAD"
"""Stands in scripts, attachments and the like, and must never be read as text of the document."""
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
_HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A stream object's body."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def flate(data: bytes, times: int = 1, entries: bytes = b"") -> bytes:
    """A stream packed `times` over."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    return stream(data, b"/Filter [%s] %s" % (b"/FlateDecode " * times, entries))


def show(text: str, y: int = 700) -> bytes:
    """Content that shows a text in /F1."""
    return f"BT /F1 10 Tf 50 {y} Td ({text}) Tj ET".encode("latin-1")


def assembled(objects: Sequence[bytes], trailer: bytes = b"", junk: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1, which is the catalog; `trailer` adds entries."""
    out = bytearray(junk + _HEADER)
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out) - len(junk))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out) - len(junk)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def document(
    *contents: bytes,
    catalog: bytes = b"",
    page: bytes = b"",
    box: bytes = b"[0 0 595 842]",
    font: bytes = FONT,
    fonts: bytes = b"",
    resources: bytes = b"",
    more: Sequence[bytes] = (),
    trailer: bytes = b"",
    junk: bytes = b"",
) -> bytes:
    """One page per content: operators, a stream, or references from 10 0 R on. `more` are objects from number 10 on.

    Objects: 1 catalog, 2 page tree, 3 /F1; `page`, `fonts` and `resources` add entries to the last page.
    """
    objects = [b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog, b"", font, *[b"null"] * 6, *more]
    kids: list[bytes] = []
    for content in contents:
        last = len(kids) == len(contents) - 1
        if not content.removeprefix(b"[").startswith(b"10 0 R"):
            objects.append(content if content.endswith(b"endstream") else stream(content))
            content = b"%d 0 R" % len(objects)
        added = (fonts, resources, page) if last else (b"",) * 3
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents %s"
            b" /Resources << /Font << /F1 3 0 R %s >> %s >> %s >>" % (box, content, *added)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return assembled(objects, trailer, junk)


def sound(pages: int = 4) -> bytes:
    """What a word processor writes: packed streams, an embedded font, a picture; each page says its number."""
    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, pageCompression=1, invariant=True)
    picture = ImageReader(Image.linear_gradient("L").convert("RGB"))
    for number in range(1, pages + 1):
        canvas.setFont("Vera", 11)
        for line in range(40):
            canvas.drawString(50, 780 - 15 * line, f"Page {number}, line {line}: {GOOD}")
        canvas.drawImage(picture, 400, 60, 100, 100)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


# Trees and references


def page_bomb(depth: int = 6) -> bytes:
    """Ten to the `depth` pages out of a few hundred bytes: every node names the one below it ten times."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    for level in range(depth):
        kids = b"%d 0 R " % (level + 3)
        objects.append(b"<< /Type /Pages /Count %d /Kids [%s] >>" % (10 ** (depth - level), kids * 10))
    page = len(objects) + 1
    objects.append(b"<< /Type /Page /MediaBox [0 0 9 9] /Contents %d 0 R /Resources << >> >>" % (page + 1))
    return assembled([*objects, stream(show(GOOD))])


def deep_page_tree(depth: int = 3_000) -> bytes:
    """A page at the end of a chain of nodes with one kid each."""
    nodes = [b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % (number + 3) for number in range(depth)]
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", *nodes, b"<< /Type /Page /MediaBox [0 0 9 9] >>"])


def cyclic_page_tree() -> bytes:
    """Two nodes that are each other's kid, beside a sound page."""
    page = b"<< /Type /Page /MediaBox [0 0 595 842] /Contents 6 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
    node = b"<< /Type /Pages /Count 2 /Kids [%s] >>"
    return assembled(
        [b"<< /Type /Catalog /Pages 2 0 R >>", node % b"4 0 R 3 0 R", node % b"2 0 R", page, FONT, stream(show(GOOD))]
    )


def cyclic_outline() -> bytes:
    """An outline whose entries follow and contain each other."""
    item = b"<< /Title (loop) /Parent 10 0 R /First %d 0 R /Last %d 0 R /Next %d 0 R /Dest [15 0 R /Fit] >>"
    more = [b"<< /Type /Outlines /First 11 0 R /Last 12 0 R /Count 2 >>", item % (12, 12, 12), item % (11, 11, 11)]
    return document(show(GOOD), catalog=b"/Outlines 10 0 R", more=more)


def form(content: bytes, *names: tuple[str, int]) -> bytes:
    """A form that may draw other forms."""
    listed = b" ".join(b"/%s %d 0 R" % (name.encode(), number) for name, number in names)
    resources = b"/Resources << /Font << /F1 3 0 R >> /XObject << %s >> >>" % listed
    return stream(content, b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] " + resources)


def cyclic_forms() -> bytes:
    """Two forms that draw each other."""
    more = [form(b"/B Do", ("B", 11)), form(show(SECRET.lower(), 500) + b" /A Do", ("A", 10))]
    return document(show(GOOD) + b" /A Do", resources=b"/XObject << /A 10 0 R >>", more=more)


def form_bomb(depth: int = 8) -> bytes:
    """Ten to the `depth` drawings of one line: each form draws the next one ten times."""
    more = [form(b"/N Do " * 10, ("N", 11 + level)) for level in range(depth)]
    more.append(form(show("again", 500)))
    return document(show(GOOD), b"/N Do", resources=b"/XObject << /N 10 0 R >>", more=more)


def cyclic_parent() -> bytes:
    """A page that is its own parent and inherits what it needs from itself."""
    page = b"<< /Type /Page /Parent 3 0 R /Contents 4 0 R >>"
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Kids [3 0 R] /Count 1 >>", page, stream(show(GOOD))])


def cyclic_length() -> bytes:
    """A stream whose length is a reference to itself."""
    return document(show(GOOD), b"<< /Length 10 0 R >>\nstream\nq Q\nendstream", more=[b"10 0 R"])


def cyclic_contents() -> bytes:
    """Contents that point at each other instead of at a stream."""
    return document(show(GOOD), b"10 0 R", more=[b"11 0 R", b"10 0 R"])


# Nesting and numbers


def nested(opening: bytes, closing: bytes, depth: int = 100_000) -> bytes:
    """A sound page, and one whose content nests that deep."""
    return document(show(GOOD), opening * depth + closing * depth)


def nested_object(depth: int = 50_000) -> bytes:
    """A page with an entry that nests that deep."""
    return document(show(GOOD), show(GOOD), page=b"/Evil " + b"[" * depth + b"]" * depth)


def boxed(box: bytes) -> bytes:
    """A page with an impossible size."""
    return document(show(GOOD), box=box)


def many_contents(count: int = 100_000) -> bytes:
    """A page whose content is an array of that many references to one stream, beside a sound page."""
    return document(show(GOOD), b"[%s]" % (b"10 0 R " * count), more=[stream(show("x "))])


# Packed data


def flate_bomb(size: int = 150_000_000, times: int = 1) -> bytes:
    """A sound page, and one whose content unpacks to that many bytes, packed `times` over."""
    return document(show(GOOD), flate(b" " * size, times))


def picture_bomb(side: int = 100_000) -> bytes:
    """A page that shows a picture of side x side pixels."""
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8"
    picture = flate(bytes(10_000_000), 1, entries % (side, side))
    return document(show(GOOD), b"q 500 0 0 500 0 0 cm /I Do Q", resources=b"/XObject << /I 10 0 R >>", more=[picture])


# Cross-references


def claimed_size(size: int = 2_000_000_000) -> bytes:
    """A cross-reference table that claims so many entries."""
    data = document(show(GOOD))
    count = data.partition(b"xref\n0 ")[2].partition(b"\n")[0]
    return data.replace(b"xref\n0 " + count, b"xref\n0 %d" % size).replace(b"/Size " + count, b"/Size %d" % size)


def previous_loop() -> bytes:
    """A cross-reference table whose predecessor is itself."""
    data = document(show(GOOD), trailer=b"/Prev 9999999999")
    return data.replace(b"9999999999", b"%010d" % data.rindex(b"xref\n0"))


def hybrid(target: bytes = b"0000000010") -> bytes:
    """A table that also points at a cross-reference stream, where there is none."""
    return document(show(GOOD), trailer=b"/XRefStm " + target)


def xref_stream(entries: bytes) -> bytes:
    """A file whose only index is a cross-reference stream with these entries."""
    body = document(show(GOOD)).partition(b"xref\n0")[0]
    start = len(body)
    index = flate(bytes(6 * 100), 1, b"/Type /XRef /Root 1 0 R " + entries)
    return body + b"99 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (index, start)


def packed_objects(*objects: bytes, padding: int = 0) -> bytes:
    """A file whose objects, numbered from 1, lie in one object stream, with so much white space behind them."""
    at, places = 0, []
    for number, body in enumerate(objects, start=1):
        places.append(b"%d %d" % (number, at))
        at += len(body) + 1
    head = b" ".join(places) + b" "
    held, index = len(objects) + 1, len(objects) + 2
    entries = b"/Type /ObjStm /N %d /First %d" % (len(objects), len(head))
    body = _HEADER + b"%d 0 obj\n%s\nendobj\n" % (held, flate(head + b" ".join(objects) + b" " * padding, 1, entries))
    rows = b"".join(struct.pack(">BIB", 2, held, number) for number in range(len(objects)))
    rows = bytes(6) + rows + struct.pack(">BIB", 1, len(_HEADER), 0) + struct.pack(">BIB", 1, len(body), 0)
    table = flate(rows, 1, b"/Type /XRef /Root 1 0 R /W [1 4 1] /Size %d" % (index + 1))
    return body + b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (index, table, len(body))


def object_stream_bomb(size: int = 150_000_000) -> bytes:
    """A file all of whose objects lie in a stream that unpacks to that many bytes."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R >>"
    return packed_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Kids [3 0 R] /Count 1 >>", page, FONT, b"null", padding=size
    )


# Fonts


def font_with(entries: bytes, *more: bytes) -> bytes:
    """A sound font on page 1 and on page 2 one of these entries, whose further objects are 11, 12 and so on."""
    bad = b"<< /Type /Font %s >>" % entries
    content = b"BT /F2 10 Tf 50 700 Td (AAAA) Tj ET"
    return document(show(GOOD), content, fonts=b"/F2 10 0 R", more=[bad, *more])


def cmap(body: bytes) -> bytes:
    """A ToUnicode table."""
    return flate(b"/CIDInit /ProcSet findresource begin begincmap\n" + body + b"\nendcmap end")


def wide_range_cmap() -> bytes:
    """Ranges that map four thousand million codes."""
    return cmap(b"100 beginbfrange\n" + b"<00000000> <FFFFFFFF> <0041>\n" * 100 + b"endbfrange")


# What acts

_ACTIVE = b"/OpenAction << /S /JavaScript /JS (app.alert\\('" + SECRET.encode() + b"'\\)) >> "
_LAUNCH = b"/AA << /WC << /S /Launch /F (" + SECRET.encode() + b".exe) >> >> "
_NAMES = b"/Names << /JavaScript << /Names [(x) 11 0 R] >> /EmbeddedFiles << /Names [(a.txt) 12 0 R] >> >>"


def active(canary: str) -> bytes:
    """Scripts, programs to launch, addresses to fetch and attached files; they would write `canary`."""
    payload = stream(SECRET.encode(), b"/Type /EmbeddedFile")
    file = f"<< /Type /Filespec /F ({canary}) /EF << /F 13 0 R >> >>".encode()
    script = b"<< /S /JavaScript /JS (" + SECRET.encode() + b") >>"
    link = b"<< /Type /Annot /Subtype /Link /Rect [0 0 595 842] /A << /S /Launch /F 12 0 R /Win << /F (cmd) >> >> >>"
    return document(
        show(GOOD), catalog=_ACTIVE + _LAUNCH + _NAMES, page=b"/Annots [10 0 R] /AA << /O 11 0 R >>",
        more=[link, script, file, payload],
    )  # fmt: skip


# Many of something


def many_pages(count: int = 5_000) -> bytes:
    """That many pages with a line each, which says its number."""
    return document(*[show(f"Page {number}. {GOOD}") for number in range(1, count + 1)])


def columns(count: int = 2_000, rows: int = 20) -> bytes:
    """A table of that many columns: every cell is placed by itself."""
    lines = [
        b" ".join(b"1 0 0 1 %d %d Tm (c%d) Tj" % (30 * column, 800 - 14 * row, column) for column in range(count))
        for row in range(rows)
    ]
    return document(show(GOOD), b"BT /F1 10 Tf " + b" ".join(lines) + b" ET", box=b"[0 0 14400 842]")


def fragments(count: int = 200_000) -> bytes:
    """A page of so many letters, each placed by itself, a hundred a line."""
    placed = [
        b"1 0 0 1 %d %d Tm (%c) Tj" % (5 * (at % 100), 100_000 - 12 * (at // 100), 97 + at % 26) for at in range(count)
    ]
    return document(show(GOOD), b"BT /F1 10 Tf " + b" ".join(placed) + b" ET")


# Damage


def cuts(data: bytes, step: int = 1_000) -> list[bytes]:
    """The file cut at every `step` bytes."""
    return [data[:end] for end in range(step, len(data), step)]


def mutated(data: bytes, seed: int) -> bytes:
    """The file with up to 20 places changed, doubled, left out or filled with noise, as `seed` decides."""
    dice = random.Random(seed)
    out = bytearray(data)
    for _ in range(dice.randint(1, 20)):
        at, length = dice.randrange(len(out)), dice.randint(1, 60)
        old = bytes(out[at : at + length])
        flipped = bytes([old[0] ^ 1 << dice.randrange(8)]) + old[1:]
        out[at : at + length] = dice.choice([flipped, b"", old * 2, dice.randbytes(length)])
    return bytes(out)
