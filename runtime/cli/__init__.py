"""The command line: one group, and its commands by what they are for."""

from runtime.cli.archiving import archive, export_, import_
from runtime.cli.asking import diagnose, search
from runtime.cli.group import main
from runtime.cli.indexing import indexes, reindex
from runtime.cli.knowledge import documents, ingest
from runtime.cli.measuring import evaluate
from runtime.cli.models import labels, models
from runtime.cli.operating import doctor, serve

for command in (ingest, documents, reindex, indexes, search, diagnose, serve, doctor, evaluate, models, labels, export_,
                import_, archive):  # fmt: skip
    main.add_command(command)

__all__ = ["main"]
