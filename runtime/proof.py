"""What a new index must show before anything is switched to it."""

from pathlib import Path

from retrieval.canary import check_legs
from retrieval.generation import Manifest
from runtime.errors import BuildFailed
from runtime.service import Service


def prove(service: Service, folder: Path) -> None:
    """Its counts are the registry's, and every leg recognises known items with the encoders of `service`.

    Beside it stand the checks of the build itself: every vector finds itself, checksums. The caller is the one writer.
    Raises BuildFailed.
    """
    registry = service.registry
    manifest = Manifest.read(folder)
    if registry.changes_since(manifest.corpus_generation) == 0:
        cases, passages = len(registry.case_captions()), len(registry.passage_texts())
        expected = {"pictures": cases, "captions": cases, "passages": passages}
        if dict(manifest.counts) != expected:
            raise BuildFailed(_refusal(f"it holds {dict(manifest.counts)} of {expected}"))
    legs = check_legs(service.reader.view_of(folder), service.encoders, registry, service.stored_pixels)
    dead = [f"{one.leg}: {one.detail}" for one in legs if one.alive is False]
    if dead:
        raise BuildFailed(_refusal("; ".join(dead)))


def _refusal(why: str) -> str:
    return f"the new index did not pass its checks and was not switched to ({why}); the old one still serves"
