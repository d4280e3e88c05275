"""Figures as SVG that stands inside a page: its text is text, its colours are the page's, and equal figures are equal bytes.

Matplotlib draws on a figure of its own; pyplot's global state is not touched. What it writes is then read as XML and
changed in three ways: ids get the figure's name in front (several figures stand on one page), the colours of
`INK` become variables of the page's style (so that a figure is dark on light and light on dark), and fonts and fixed sizes go.
"""

import io
import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

SERIES: Final = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005", "#0a0006", "#0a0007", "#0a0008")
DASHES: Final[tuple[Any, ...]] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
INK: Final = "#0a0010"
FAINT: Final = "#0a0011"
PAPER: Final = "#0a0012"
SHADE: Final = "#0a0013"  # of a filled cell; how much by its opacity

_VARIABLES: Final[Mapping[str, str]] = {
    INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)", SHADE: "var(--shade)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)},
}  # fmt: skip
_FONT: Final = "DejaVu Sans"
_STYLE: Final[Mapping[str, Any]] = {
    "svg.hashsalt": "dermacite",  # else ids are random
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "text.parse_math": False,  # labels are data: a dollar sign in one is a dollar sign
    "font.family": [_FONT],  # comes with matplotlib: the same measure of text on every machine
    "font.size": 11, "axes.labelsize": 11, "xtick.labelsize": 10, "ytick.labelsize": 10,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "text.color": INK,
    "axes.facecolor": "none", "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": FAINT, "grid.linewidth": 0.5, "axes.axisbelow": True,
    "legend.frameon": False, "legend.fontsize": 10, "lines.linewidth": 1.8, "lines.markersize": 5,
    "errorbar.capsize": 2,
}  # fmt: skip
_PIXELS: Final = 72  # of matplotlib's SVG to the inch
_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_KEPT: Final = frozenset({"viewBox", "width", "height", "version"})


class Canvas:
    """One figure of a single axes, `width` x `height` in CSS pixels. Use it in a `with`: its style holds only inside."""

    def __init__(self, name: str, width: int, height: int) -> None:
        self.name = name
        self._size = width / _PIXELS, height / _PIXELS
        self._context = rc_context(dict(_STYLE))

    def __enter__(self) -> "Canvas":
        self._context.__enter__()
        self._figure = Figure(figsize=self._size, layout="constrained")
        FigureCanvasSVG(self._figure)
        self.axes: Any = self._figure.add_subplot()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._context.__exit__(*exception)

    def svg(self) -> str:
        """What was drawn, for the inside of a page."""
        written = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self._figure.savefig(written, format="svg", transparent=True, metadata=metadata)
        return _for_page(written.getvalue(), self.name)


def _for_page(written: str, name: str) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(written)  # noqa: S314 (our own, a moment old)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):  # a style would hold for the whole page
                parent.remove(child)
    for element in root.iter():
        _adapt(element, name)
    root.attrib = {key: value for key, value in root.attrib.items() if key in _KEPT}
    width = root.attrib.pop("width").removesuffix("pt")
    root.attrib.pop("height")
    root.set("style", f"max-width: {float(width):g}px")
    root.set("aria-hidden", "true")  # the caption and the table of the figure say it better than its ticks
    return ElementTree.tostring(root, "unicode")


def _adapt(element: ElementTree.Element, name: str) -> None:
    if one := element.attrib.get("id"):
        element.set("id", f"{name}-{one}")
    for key, value in list(element.attrib.items()):
        if key == "clip-path":
            element.set(key, value.replace("url(#", f"url(#{name}-"))
        elif key == f"{{{_XLINK}}}href":
            element.set(key, value.replace("#", f"#{name}-", 1))
        elif key == "style":
            element.set(key, _styled(value))


def _styled(style: str) -> str:
    colours = re.sub(r"#[0-9a-f]{6}", lambda match: _VARIABLES.get(match[0], match[0]), style)
    return colours.replace(f"font-family: {_FONT!r}; ", "")
