"""Archives for tests: a small one, and the same with anything in it changed and every checksum put right again."""

import io
import json
import runpy
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from runtime.archive import BLOBS, MANIFEST, SEAL
from runtime.curation import Curator
from runtime.exporting import export_archive
from runtime.jobs import Upload
from runtime.service import Service
from runtime.tarring import TarWriter
from tests.sample import guideline

SCRIPT = Path(__file__).with_name("light_process.py")
open_light: Callable[[Path], Service] = runpy.run_path(str(SCRIPT))["open_light"]


def small_home(folder: Path) -> Path:
    """Two guidelines, of which one was superseded, and six cases, with light encoders."""
    home, cases = folder / "home", folder / "cases"
    cases.mkdir(parents=True)
    rows = []
    for number in range(6):
        Image.new("RGB", (96, 96), (200, 20 * number, 140)).save(cases / f"{number}.png")
        rows.append({"picture": f"{number}.png", "label": ("acne", "nevus")[number % 2], "caption": f"number {number}"})
    (cases / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    service = open_light(home)
    curator = Curator(service)
    curator.ingest_cases(cases, None)
    (first,) = curator.ingest_documents([Upload("one.pdf", guideline)])
    curator.ingest_documents(
        [Upload("two.pdf", lambda: guideline((("Warts", "Wait for 3 months before you freeze warts of the hand."),)))],
        document_id=first.id,
    )
    curator.reindex()
    service.close()
    return home


def small_archive(folder: Path) -> Path:
    """Of that home."""
    service = open_light(small_home(folder))
    export_archive(Curator(service), folder / "small.tar")
    service.close()
    return folder / "small.tar"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An archive in pieces: what its manifest says but for the members, and the members in order."""

    manifest: Mapping[str, Any]
    members: Mapping[str, bytes]

    @classmethod
    def of(cls, file: Path) -> "Unpacked":
        with tarfile.open(file) as tar:
            members = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]
        manifest = json.loads(members.pop(MANIFEST))
        del members[SEAL], manifest["members"]
        return cls(manifest, members)

    def saying(self, **changed: Any) -> "Unpacked":
        return replace(self, manifest={**self.manifest, **changed})

    def holding(self, **changed: bytes | None) -> "Unpacked":
        return self.with_members(changed)

    def with_members(self, changed: Mapping[str, bytes | None]) -> "Unpacked":
        """With these members added or changed, and those that are None left out."""
        members = {**self.members, **changed}
        return replace(self, members={name: data for name, data in members.items() if data is not None})

    def with_rows(self, table: str, change: Callable[[list[dict[str, Any]]], Any]) -> "Unpacked":
        """With the rows of a table changed in place."""
        name = f"registry/{table}.jsonl"
        rows = [json.loads(line) for line in self.members[name].splitlines()]
        change(rows)
        return self.with_members({name: "".join(json.dumps(row) + "\n" for row in rows).encode()})

    def with_blob(self, data: bytes, digest: str | None = None) -> "Unpacked":
        return self.with_members({f"{BLOBS}{digest or sha256(data).hexdigest()}": data})

    def pack(self, target: Path) -> Path:
        """Write it with checksums that are right."""
        listed = [
            {"name": name, "size": len(data), "sha256": sha256(data).hexdigest()} for name, data in self.members.items()
        ]
        told = json.dumps({**self.manifest, "members": listed}, indent=1, sort_keys=True).encode() + b"\n"
        return packed(target, told, self.members)


def packed(target: Path, manifest: bytes, members: Mapping[str, bytes]) -> Path:
    """An archive with this manifest, to the byte, and these members."""
    buffer = io.BytesIO()
    tar = TarWriter(buffer)
    digest = sha256(manifest).hexdigest().encode()
    for name, data in {MANIFEST: manifest, **members, SEAL: digest}.items():
        tar.add(name, len(data), [data])
    tar.end()
    target.write_bytes(buffer.getvalue())
    return target
