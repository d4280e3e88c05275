"""What every answer says of the service that gave it."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from inference.admission import ServedModels
from retrieval.encoders import encoder_card, locate
from retrieval.types import EncoderCard
from runtime.settings import EncoderChoice, Settings


def description(
    settings: Settings, cards: Mapping[str, EncoderCard], fingerprints: Mapping[str, str], models: ServedModels
) -> dict[str, Any]:
    """The version, encoders and served models, as JSON holds them. `cards` and `fingerprints` are by space."""
    encoders = {
        space: {"card": card.name, "model": card.model, "revision": card.revision, "dimension": card.dimension,
                "fingerprint": fingerprints[space], "training_overlap": card.training_overlap,
                "query_model": card.query_model}
        for space, card in cards.items()
    }  # fmt: skip
    served = {
        one.profile.name: {"served_as": one.name, "engine": one.through, "revision": one.profile.checkpoint.revision,
                           "status": one.profile.status, "calibrated": one.calibration is not None}
        for one in models.all
    }  # fmt: skip
    return {
        "version": version("dermacite"), "configuration": settings.configuration, "preset": settings.preset,
        "encoders": encoders, "reranker": _reranker(settings.reranker),
        "classifier_setting": settings.classifier, "reporter_setting": settings.reporter,
        "grouper_setting": settings.grouper, "models": served,
    }  # fmt: skip


def card_of(choice: EncoderChoice) -> EncoderCard:
    """The card that a setting names, with its pinned revision. Raises EncoderMissing with the names there are."""
    card = encoder_card(choice.card)
    return replace(card, revision=choice.revision) if choice.revision else card


def _reranker(choice: EncoderChoice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    card = card_of(choice)
    return {"card": card.name, "model": card.model, "fingerprint": locate(card, choice.folder).fingerprint}
