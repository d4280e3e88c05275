"""Pages for people: shells made by templates; what is on them comes from the same JSON routes that everybody has."""

from typing import Final

from litestar.types import ControllerRouterHandler

from api.web.asset_files import get_asset
from api.web.consulting import show_consult
from api.web.knowledge import PAGES as KNOWLEDGE
from api.web.signing import show_sign_in

ROUTES: Final[tuple[ControllerRouterHandler, ...]] = (get_asset, show_consult, show_sign_in, *KNOWLEDGE)
