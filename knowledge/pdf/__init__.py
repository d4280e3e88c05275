"""PDF files become text with pages and headings; a page becomes a picture. No other module parses a PDF."""

from knowledge.pdf.extractor import PdfExtractor
from knowledge.pdf.limits import PdfLimits

__all__ = ["PdfExtractor", "PdfLimits"]
