"""Answers as FHIR R4, for systems that keep records. Each module makes one kind of resource from the same ledger."""

from api.fhir.bundle import FHIR_JSON, bundle_of
from api.fhir.elements import About

__all__ = ["FHIR_JSON", "About", "bundle_of"]
