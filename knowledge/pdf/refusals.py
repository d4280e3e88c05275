"""Why a PDF was refused, in one sentence that says what to do. No sentence names the file or quotes it."""

from collections.abc import Mapping

from knowledge.errors import DocumentRefused

_SENTENCES = {
    "empty_file": "The file is empty (0 bytes). Send the document again.",
    "not_a_pdf": "The file is not a PDF, whatever its name says. Export the document as PDF and send that.",
    "unreadable": "The file cannot be opened for reading. Check that it exists and may be read.",
    "encrypted": "The PDF needs a password to open. Remove the password and send it again.",
    "broken_pdf": "The PDF is damaged and cannot be read. Fetch it again from its source or export it anew.",
    "too_many_pages": "The PDF has {pages} pages; the limit is {limit}. Split it.",
    "too_large": "The document is larger than allowed (at most {bytes} bytes of file, {characters} of text). Split it.",
    "timed_out": "Reading the PDF took longer than {seconds} s. Print it to a new PDF, or split it.",
    "parser_died": "The parser ended while reading the PDF (out of memory or crashed). Print it to a new PDF.",
    "image_only": "No page has text: {pictures} of {pages} pages hold only a picture, from page {page} on. {advice}",
    "garbage_text": "The text of the PDF is not what is printed on its pages, from page {page} on: a font is broken. {advice}",
    "no_text": "The PDF has {pages} pages but no text. Check that it is the right file.",
    "no_such_page": "There is no page {page}; the PDF has {pages} pages.",
}


def refused(reason: str, page: int | None = None, **detail: object) -> DocumentRefused:
    """The error for a reason, with the numbers its sentence needs."""
    sentence = _SENTENCES[reason].format_map(_Numbers({"page": page, **detail}))
    return DocumentRefused(reason, sentence, page)


class _Numbers(dict[str, object]):
    """Numbers for a sentence; what is not known reads as such instead of failing."""

    def __missing__(self, key: str) -> str:
        return "an unknown number of"


def page_warnings(states: Mapping[str, list[int]], pages: int, little: list[int]) -> list[str]:
    """Sentences about pages that gave nothing: `states` maps a page state to its page numbers."""
    sentences = {
        "failed": "{count} of {pages} pages could not be read and are missing: {listed}.",
    }
    found = [
        sentence.format(count=len(states[state]), pages=pages, listed=listed(states[state]))
        for state, sentence in sentences.items()
        if states.get(state)
    ]
    if little:
        found.append(f"{len(little)} of {pages} pages have very little text beside a picture: {listed(little)}.")
    return found


def listed(numbers: list[int], most: int = 10) -> str:
    """Page numbers for a sentence."""
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"
