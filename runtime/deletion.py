"""What a deletion leaves behind: nothing, and a receipt that says where that was looked for."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.types import DocumentVersion
from retrieval.embeddings import text_key
from runtime.building import PROJECT
from runtime.service import Service
from runtime.writing import Writer

NEEDLE = 48  # characters of a passage that are looked for byte by byte: enough to be its own


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a deletion removed, and where absence was looked for and found afterwards.

    registry: rows and their log. vectors: the embedding store. index: every generation of every encoder, here and on a
    Chroma server. lexical: the words of the generation that serves. caches: what this process holds in memory. files:
    stored bytes and text. disk: the words of the passages, byte by byte, in every file of the registry and the indexes.
    """

    document_id: str
    versions: tuple[str, ...]
    passages: int
    absent_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """What was deleted."""

    versions: Sequence[DocumentVersion]
    passages: Sequence[str]
    texts: Sequence[str]


def absence(writer: Writer, gone: Gone) -> tuple[str, ...]:
    """The places that show nothing of it."""
    service = writer.service
    in_use = writer.keys_in_use()
    keys = {text_key(text) for text in gone.texts} - in_use
    view = service.reader.view()
    digests = {digest for one in gone.versions for digest in (one.id, one.text_sha256)}
    digests -= service.registry.blobs_in_use()
    checks = {
        "registry": service.registry.forget_deleted()
        and not any(service.registry.has_version(one.id) for one in gone.versions)
        and not service.registry.passages(gone.passages),
        "vectors": keys.isdisjoint(service.embeddings.keys()),
        "index": not service.index.holds(gone.passages) and not service.index.kept_by_servers(),
        "lexical": len(view.passages.lexical) == len(view.passages.ids),
        "caches": set(gone.passages).isdisjoint(view.passages.ids),
        "files": digests.isdisjoint(service.blobs.digests()),
        "disk": not _still_written(service, [text for text in gone.texts if text_key(text) in keys]),
    }
    return tuple(name for name, absent in checks.items() if absent)


def _still_written(service: Service, texts: Collection[str]) -> bool:
    """Whether a file holds the first words of one of these texts, which nothing else may say."""
    kept = "\n".join(text for _, text in service.registry.passage_texts())
    needles = [text[:NEEDLE] for text in texts if text[:NEEDLE] not in kept]
    return bool(needles) and _found(needles, list(_derived_files(service)))


def _found(needles: Sequence[str], files: Sequence[Path]) -> bool:
    # Not here: closing the registry's files would give up the locks that this process holds on them.
    asked = json.dumps({"needles": needles, "files": [str(file) for file in files]})
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
