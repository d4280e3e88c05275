"""The whole knowledge base as one file that proves itself: what is in it, and what it says of itself.

    manifest.json          format, program, schema, counts, encoders, settings, and every member with size and sha256
    encoders.json          the encoders that the home was switched to, where it was
    registry/TABLE.jsonl   every row
    embeddings/NAME.keys NAME.vectors   vectors of what is in use, by the fingerprint of their encoder
    calibrations/NAME.json how sure served models may be believed to be
    blobs/SHA256           stored files
    index/...              the generation that serves, file by file
    manifest.sha256        of the first member

The same state gives the same bytes: nothing says when, where or by whom an archive was made.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NoReturn

from runtime.settings import Settings
from runtime.tarring import ArchiveRefused

FORMAT = 1  # raise it when the layout above changes
MANIFEST: Final = "manifest.json"
SEAL: Final = "manifest.sha256"
ENCODERS: Final = "encoders.json"
REGISTRY: Final = "registry/"
VECTORS: Final = "embeddings/"
CALIBRATIONS: Final = "calibrations/"
BLOBS: Final = "blobs/"
INDEX: Final = "index/"
MANIFEST_LIMIT = 512_000_000  # bytes: some 3 million members

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}"
_BLOB = re.compile(r"blobs/([0-9a-f]{64})")
_MEMBERS = (
    re.compile(r"encoders\.json"),
    re.compile(r"registry/[a-z_]{1,40}\.jsonl"),
    re.compile(r"embeddings/[0-9a-z-]{1,40}\.(keys|vectors)"),
    re.compile(rf"calibrations/{_NAME}"),
    _BLOB,
    re.compile(rf"{INDEX}(?:{_NAME}/){{0,2}}{_NAME}"),
)
_NAME_LIMIT = 100  # bytes of a name in a header
_GENERATION = re.compile(r"[0-9a-f]{12}/g\d{8}-[0-9a-f]{8}")
# Settings that can change an answer. Addresses, keys and folders of this machine are none of an archive's business.
TOLD = (
    "configuration", "preset", "classifier", "reporter", "grouper", "alpha", "strategy", "shown_cases",
    "passages_per_query", "cosine_floor", "probability_floor", "label_mass_floor", "exact_below",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """What an archive says of itself.

    `encoders` by space: the whole card, and its fingerprint. `vectors`: bytes of a row by name. `index`: the folder of
    the generation that serves, below that of all indexes, None where it is left out. `counts`: rows by table.
    """

    format: int
    program: str
    schema: str
    corpus_generation: int
    counts: Mapping[str, int]
    encoders: Mapping[str, Mapping[str, Any]]
    vectors: Mapping[str, int]
    index: str | None
    settings: Mapping[str, Any]
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(one.size for one in self.members)

    @property
    def fingerprints(self) -> dict[str, str]:
        """By space."""
        return {space: str(one["fingerprint"]) for space, one in self.encoders.items()}

    @property
    def blobs(self) -> frozenset[str]:
        """The sha256 of every stored file."""
        return frozenset(one.sha256 for one in self.members if _BLOB.fullmatch(one.name))

    def to_bytes(self) -> bytes:
        """The one way to write it."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> "ArchiveManifest":
        """Raises ArchiveRefused for anything that this program did not write, and for what a newer one wrote."""
        try:
            read = json.loads(data, parse_constant=_no_constant)
            if type(read["format"]) is int and read["format"] > FORMAT:
                raise ArchiveRefused("a newer version made it; update Dermacite first")
            if read["format"] != FORMAT:
                raise ArchiveRefused("it is of a format that no version had")
            found = cls(**{**read, "members": tuple(Member(**one) for one in read["members"])})
            found._check()
            same = found.to_bytes() == data
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ArchiveRefused(f"its {MANIFEST} cannot be read ({type(error).__name__})") from error
        if not same:
            raise ArchiveRefused(f"its {MANIFEST} is not as Dermacite writes it")
        return found

    def _check(self) -> None:
        """Raises ValueError or ArchiveRefused."""
        for field in fields(self):
            if field.name in {"counts", "encoders", "vectors", "settings"} and not isinstance(
                getattr(self, field.name), dict
            ):
                raise ValueError(field.name)
        whole = (self.corpus_generation, *self.counts.values(), *self.vectors.values(), *(m.size for m in self.members))
        if not all(type(one) is int and one >= 0 for one in whole) or not isinstance(self.schema, str):
            raise ValueError("a number is none")
        if not all(map(_is_encoder, self.encoders.values())):
            raise ValueError("an encoder is none")
        names = [one.name for one in self.members]
        if len(set(names)) != len(names):
            raise ArchiveRefused("it names a member twice")
        if any(one.startswith(INDEX) for one in names) != (self.index is not None):
            raise ArchiveRefused("it holds files of an index that it does not name, or the other way round")
        if self.index is not None and not _GENERATION.fullmatch(self.index):
            raise ArchiveRefused("its index has a name that no index has")
        for one in self.members:
            _check_member(one)


def _is_encoder(one: Mapping[str, Any]) -> bool:
    """Raises TypeError or KeyError where it is something else."""
    fingerprint = re.fullmatch(r"[0-9a-f]{8,40}", one["fingerprint"])
    return fingerprint is not None and type(one["dimension"]) is int and isinstance(one["card"]["name"], str)


def _check_member(one: Member) -> None:
    """Raises ArchiveRefused: the name decides where a member is written, and a stranger may have chosen it."""
    if len(one.name) > _NAME_LIMIT or not any(pattern.fullmatch(one.name) for pattern in _MEMBERS):
        raise ArchiveRefused("it holds a member that no archive has")
    if not re.fullmatch(r"[0-9a-f]{64}", one.sha256):
        raise ArchiveRefused("a checksum is none")
    blob = _BLOB.fullmatch(one.name)
    if blob and blob[1] != one.sha256:
        raise ArchiveRefused("the name of a stored file is not its checksum")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def sha256_of(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def told_settings(settings: Settings) -> dict[str, Any]:
    """What an archive says of the settings it was made under."""
    values = settings.model_dump(mode="json", include={*TOLD})
    reranker = settings.reranker
    return {**values, "reranker": reranker.model_dump(mode="json", include={"card", "revision"}) if reranker else None}
