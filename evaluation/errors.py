"""What can go wrong with material to measure on. Each message says which file and line, and what to do."""

from runtime.errors import RuntimeRefused


class ReportRefused(RuntimeRefused):
    """A folder is not a run that could be reported on."""

    reason = "report_refused"


class CollectionRefused(RuntimeRefused):
    """A folder is not the collection it should be."""

    reason = "collection_refused"
