"""Where the weights of a card are on this machine, and what they are, without importing torch.

Nothing is ever downloaded behind the caller's back: a clinic's server must not start differently because a hub moved.
"""

import hashlib
import importlib.util
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from retrieval.errors import EncoderMissing
from retrieval.types import EncoderCard

FINGERPRINT_LENGTH = 16  # hex digits; names folders and rows
DOCUMENTS, QUERIES = "documents", "queries"  # folders within the configured folder of a pair of encoders
_LATER_FIELDS = ("query_model", "query_revision", "space")


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder or file with weights, and the fingerprint of card and weights together."""

    path: Path
    fingerprint: str
    query_path: Path | None = None  # of the query encoder, where the card names one


def locate(card: EncoderCard, folder: Path | None = None) -> Weights:
    """Find the weights: `folder` when given, else the card's package, else the local model hub cache.

    The fingerprint covers the card and either the bytes found or the hub commit, which already names bytes.
    Raises EncoderMissing with the command that gets them.
    """
    if card.unavailable is not None:
        raise EncoderMissing(f"encoder {card.name} cannot be loaded by this version: {card.unavailable}")
    if folder is not None:
        if not folder.is_dir():
            raise EncoderMissing(f"the folder configured for encoder {card.name} is not there. {_how_to_get(card)}")
        return _in_folder(card, folder)
    if card.package is not None:
        path = _in_package(card)
        return Weights(path, _fingerprint(card, _digest(path)))
    snapshot = _in_hub_cache(card)
    if card.query_model is None:
        return Weights(snapshot, _fingerprint(card, snapshot.name))
    queries = _in_hub_cache(replace(card, model=card.query_model, revision=card.query_revision))
    return Weights(snapshot, _fingerprint(card, f"{snapshot.name} {queries.name}"), queries)


def _in_folder(card: EncoderCard, folder: Path) -> Weights:
    fingerprint = _fingerprint(card, _digest(folder))
    if card.query_model is None:
        return Weights(folder, fingerprint)
    if not (folder / DOCUMENTS).is_dir() or not (folder / QUERIES).is_dir():
        raise EncoderMissing(
            f"encoder {card.name} is a pair: its folder needs {DOCUMENTS}/ ({card.model}) and {QUERIES}/ "
            f"({card.query_model}). {_how_to_get(card)}"
        )
    return Weights(folder / DOCUMENTS, fingerprint, folder / QUERIES)


def _in_package(card: EncoderCard) -> Path:
    package, _, inside = str(card.package).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EncoderMissing(
            f"encoder {card.name} needs the package {package}. Install the project again: make install"
        )
    return Path(spec.origin).parent / inside


def _in_hub_cache(card: EncoderCard) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(card.model, revision=card.revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError) as error:
        raise EncoderMissing(f"encoder {card.name} is not on this machine. {_how_to_get(card)}") from error


def _how_to_get(card: EncoderCard) -> str:
    revision = f" --revision {card.revision}" if card.revision else ""
    also = f" && hf download {card.query_model}" if card.query_model else ""
    return f"Get it: hf download {card.model}{revision}{also}  (or name a local folder in the settings)"


def _fingerprint(card: EncoderCard, weights: str) -> str:
    fields = {name: value for name, value in asdict(card).items() if name not in _LATER_FIELDS or value is not None}
    del fields["unavailable"]  # says something about us, not about the encoder
    described = json.dumps({**fields, "weights": weights}, sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:FINGERPRINT_LENGTH]


def _digest(path: Path) -> str:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if _is_content(file, path))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _is_content(file: Path, folder: Path) -> bool:
    # `hf download --local-dir` leaves its notes, with the time, in a hidden folder beside the model.
    return file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
