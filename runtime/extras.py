"""Parts that are installed only where they are wanted: what each is for, whether it is there, and how to get it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part, and the modules that it needs."""

    what: str
    modules: tuple[str, ...]

    @property
    def is_installed(self) -> bool:
        """Whether every module is there. None of them is imported."""
        return all(_is_there(module) for module in self.modules)


EXTRAS: Mapping[str, Extra] = {
    "ocr": Extra("text recognition of pages that are pictures", ("rapidocr", "onnxruntime")),
    "heic": Extra("HEIC pictures of telephones", ("pillow_heif",)),
    "evaluation": Extra(
        "measures of captions, and figures of reports", ("nltk", "rouge_score", "sacrebleu", "matplotlib")
    ),
    "adapters": Extra("LoRA and DoRA adapters in this process", ("peft",)),
    "cluster": Extra("a registry on PostgreSQL, files and indexes in object storage", ("psycopg", "obstore")),
    "ray": Extra("bulk ingest and re-indexing on a Ray cluster", ("ray", "pyarrow", "pandas")),
    "tracing": Extra("OpenTelemetry traces", ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")),
}


def install_command(extra: str) -> str:
    """The command that installs it, to be run in the checkout."""
    return f'.venv/bin/python -m pip install --constraint constraints.txt --editable ".[{extra}]"'


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent
        return False
