"""The report of a run: one self-contained HTML file and a Markdown file, from the run's folder alone."""

from evaluation.report.worst import Pictures
from evaluation.report.writing import HTML, MARKDOWN, without_timings, write_report

__all__ = ["HTML", "MARKDOWN", "Pictures", "without_timings", "write_report"]
