"""The one place from which a run is reported on."""

from pathlib import Path


def write_report(run_folder: Path) -> None:
    """The report of what a run folder holds."""
