"""What can go wrong with material to measure on. Each message says which file and line, and what to do."""

from runtime.errors import RuntimeRefused


class ReportRefused(RuntimeRefused):
    """A folder is not a run that could be reported on."""

    reason = "report_refused"


class CollectionRefused(RuntimeRefused):
    """A folder is not the collection it should be."""

    reason = "collection_refused"


class PlanRefused(RuntimeRefused):
    """A plan names something that there is not, or asks for something that could have no effect."""

    reason = "plan_refused"


class DatasetOverlaps(RuntimeRefused):
    """Cases to be asked are, or show, what the knowledge base holds."""

    reason = "dataset_overlaps"


class RunRefused(RuntimeRefused):
    """A run cannot be begun in this folder, or cannot go on as it began."""

    reason = "run_refused"


class PredictionsRefused(RuntimeRefused):
    """A file of predictions cannot be read as such."""

    reason = "predictions_refused"
