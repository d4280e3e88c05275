"""A page under watch: what it asks for, what it complains of, how it jumps, and who could not use it."""

from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

SCREENSHOTS = Path(__file__).parent / "screenshots"
MOST_BYTES = 300_000  # of everything but pictures
# Sums what moved although nobody did anything within half a second (CLS).
_SHIFTS = """
window.shifted = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      window.shifted.push([entry.startTime, entry.value, entry.sources.map((one) => one.node?.outerHTML?.slice(0, 120) ?? "")]);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
_DRAWN_TWICE = """
() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))
"""
_REFUSALS = "Failed to load resource: the server responded with a status of"  # how Chromium tells of 4xx and 5xx


class Watched:
    """One page. `expected` are statuses of refusals that the test provokes; `cut_off`: it takes the server away."""

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page = page
        self.expected: set[int] = set()
        self.cut_off = False
        self._finished: list[Request] = []
        self._host = urlsplit(url).netloc
        self._name = name
        self._complaints: list[str] = []
        self._photographed: list[tuple[float, float]] = []  # a photograph of a whole page resizes it
        page.add_init_script(_SHIFTS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._complaints.append(f"error: {error}"))
        page.on("request", self._on_request)
        page.on("requestfinished", lambda request: self._finished.append(request))  # a plain function: it is marked

    def settle(self, state: str, *, whole: bool = True) -> None:
        """Keeps a screenshot of this state, of the whole page or of what is in sight, and asks axe."""
        SCREENSHOTS.mkdir(exist_ok=True)
        began = self.page.evaluate("performance.now()")
        self.page.screenshot(path=SCREENSHOTS / f"{state}-{self._name}.png", full_page=whole)
        self._photographed.append((began, self.page.evaluate(_DRAWN_TWICE)))
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()

    def judge(self) -> None:
        """Nothing went wrong until now."""
        assert self._complaints == [], self._complaints
        assert self.weight() < MOST_BYTES
        told = self.page.evaluate("window.shifted")
        shifted = [one for one in told if not any(began <= one[0] <= ended for began, ended in self._photographed)]
        assert shifted == [], shifted

    def weight(self) -> int:
        """Bytes that came over the line, without pictures."""
        return sum(_bytes(one) for one in self._finished)

    def _on_console(self, message: ConsoleMessage) -> None:
        told = message.text
        known = any(f"{_REFUSALS} {status}" in told for status in self.expected)
        known = known or (self.cut_off and "net::ERR" in told)
        if message.type in ("error", "warning") and not known:
            self._complaints.append(f"{message.type}: {told}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and parts.netloc != self._host:
            self._complaints.append(f"asks another host: {request.url}")


def _bytes(request: Request) -> int:
    response = request.response()
    kind = response.headers.get("content-type", "") if response else ""
    if kind.startswith("image/") and not kind.startswith("image/svg"):
        return 0
    sizes = request.sizes()
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]
