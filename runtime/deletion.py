"""What a deletion leaves behind: nothing, and a receipt that says where that was looked for."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.embeddings import text_key
from runtime.building import PROJECT
from runtime.service import Service
from runtime.traces import Needles
from runtime.writing import Writer

ON_SERVER = (
    "what the PostgreSQL server keeps: freed space that it did not use again, write-ahead log, replicas, backups"
)
NEEDLE = 48  # characters of a text that are looked for byte by byte: enough to be its own


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a deletion removed, and where absence was looked for and found afterwards.

    registry: rows and their log. vectors: the embedding store. index: every generation of every encoder, here and on a
    Chroma server. lexical: the words of the generation that serves. caches: what this process holds in memory. files:
    stored bytes and text. disk: the words of the passages, byte by byte, in every file of the registry and the indexes.
    not_looked_at: where this service cannot look, so that whoever can must.

    `copies_gone_within_s`: where several machines share an index, the others let go of older copies within so many seconds,
    and one that is off when it starts; None where there is one machine.
    """

    document_id: str
    versions: tuple[str, ...]
    passages: int
    absent_from: tuple[str, ...]
    not_looked_at: tuple[str, ...] = ()
    copies_gone_within_s: float | None = None


@dataclass(frozen=True, slots=True)
class CasesReceipt:
    """The same for reference cases: of a whole dataset, or of single ones of it.

    vectors: of pictures and captions, and the sketches. caches: the view, and pictures kept for models. disk: the captions.
    """

    dataset: str
    cases: tuple[str, ...]
    pictures: int
    absent_from: tuple[str, ...]
    not_looked_at: tuple[str, ...] = ()
    copies_gone_within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """What was deleted: ids of passages or cases, their texts, their stored files. `registered`: whether a row is left."""

    ids: Sequence[str]
    texts: Sequence[str]
    files: Collection[str]
    registered: Callable[[], bool]


def proof_lines(receipt: Receipt | CasesReceipt) -> Iterator[str]:
    """What a receipt proves, what it leaves out, and what it promises of other machines, for people."""
    yield f"absent from: {', '.join(receipt.absent_from)}"
    if receipt.not_looked_at:
        yield f"not looked at: {', '.join(receipt.not_looked_at)}"
    if (seconds := receipt.copies_gone_within_s) is not None:
        yield f"copies of the index on other machines: gone within {seconds:.0f} s, on one that is off when it starts"


def absence(writer: Writer, gone: Gone) -> tuple[str, ...]:
    """The places that show nothing of it."""
    service = writer.service
    keys = unused_keys(writer, gone)
    view = service.reader.view()
    files = set(gone.files) - service.registry.blobs_in_use()
    indexed = {*view.passages.ids, *view.cases.ids}
    checks = {
        "registry": service.registry.forget_deleted() and not gone.registered(),
        "vectors": keys.isdisjoint(service.embeddings.keys()),
        "index": not service.index.holds(gone.ids) and not service.index.kept_by_servers(),
        "lexical": len(view.passages.lexical) == len(view.passages.ids)
        and len(view.cases.captions.lexical) == len(view.cases.ids),
        "caches": indexed.isdisjoint(gone.ids) and not service.shelf.holds(files),
        "files": files.isdisjoint(service.blobs.digests()),
        "disk": not _still_written(service, [text for text in gone.texts if text_key(text) in keys]),
    }
    return tuple(name for name, absent in checks.items() if absent)


def not_looked_at(service: Service) -> tuple[str, ...]:
    """The places that a receipt says nothing about."""
    return () if service.settings.registry_url is None else (ON_SERVER,)


def unused_keys(writer: Writer, gone: Gone) -> set[str]:
    """What only this was remembered by in the embedding store: the same sentence may stand in another document, whose vector
    it is too."""
    return {*map(text_key, gone.texts), *gone.files} - writer.keys_in_use()


def _still_written(service: Service, texts: Collection[str]) -> bool:
    """Whether a file holds the first words of one of these texts, which nothing else may say."""
    registry = service.registry
    kept = [text for _, text in registry.passage_texts()] + registry.draft_texts()
    kept += [caption for *_, caption in registry.case_captions()]
    sought = {text[:NEEDLE].encode() for text in texts}
    # Each apart from the next by a byte that no text has.
    sought -= set(Needles(sought).found_in("\0".join(kept).encode()))
    return bool(sought) and _found(sought, list(_derived_files(service)))


def _found(needles: Collection[bytes], files: Sequence[Path]) -> bool:
    # Not here: closing the registry's files would give up the locks that this process holds on them.
    asked = json.dumps({"needles": [one.decode() for one in needles], "files": [str(file) for file in files]})
    finished = subprocess.run(
        [sys.executable, "-m", "runtime.looking_child"],
        input=asked, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    return finished.returncode != 0 or finished.stdout != "false"  # what cannot be looked at is not known to be absent


def _derived_files(service: Service) -> Iterator[Path]:
    """Everything but the stored files, whose names are their content."""
    home = service.home
    for file in (*home.root.glob("*.sqlite3*"), *home.indexes.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield file
