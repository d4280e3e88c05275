"""Pages for people: shells made by templates; what is on them comes from the same JSON routes that everybody has."""

from typing import Final

from litestar import Router

from api.errors import RoleTooLow
from api.web.asset_files import get_asset
from api.web.consulting import show_consult
from api.web.knowledge import PAGES as KNOWLEDGE
from api.web.signing import show_role_too_low, show_sign_in

_PAGES: Final = Router(
    "/", route_handlers=[show_consult, *KNOWLEDGE], exception_handlers={RoleTooLow: show_role_too_low}
)
ROUTES: Final = (get_asset, show_sign_in, _PAGES)
