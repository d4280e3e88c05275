"""What every page has: the frame around it, who is signed in, and a policy under which nothing foreign can run."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response

from api.auth import caller_of
from api.web.asset_files import assets
from inference.abstention import NOTICE

_TEMPLATES: Final = Path(__file__).parent / "templates"
_POLICY: Final = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'",
        "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    )
)  # fmt: skip
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    # Under "no-referrer" browsers send forms with the origin "null", which is refused at the door.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
}
_NAVIGATION: Final = (("Consult", "/"), ("Knowledge", "/knowledge"))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page. Without keys it is whoever sits at this machine, who may do everything and cannot leave."""

    name: str = "this machine"
    role: str = "admin"
    csrf_token: str = ""
    signed_in: bool = False


def visitor(request: Request[Any, Any, Any]) -> Visitor:
    """Who looks at the page that is asked for. Strangers see none but the page to sign in."""
    caller = caller_of(request)
    if caller is None:
        return Visitor("", role="")
    if caller.name is None:
        return Visitor(role=caller.role)
    return Visitor(caller.name, caller.role, caller.csrf or "", signed_in=caller.csrf is not None)


def page(request: Request[Any, Any, Any], template: str, status: int = 200, **values: Any) -> Response[str]:
    """A page from `templates/TEMPLATE.html.jinja`, which extends `base.html.jinja` and gets `values`."""
    text = (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(visitor=visitor(request), path=request.url.path, **values)
    )
    return Response(text, status_code=status, media_type="text/html", headers=_HEADERS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    first, _, rest = NOTICE.partition(". ")
    environment.globals.update(asset=assets().address, navigation=_NAVIGATION, notice=f"{first}.", notice_more=rest)
    return environment
