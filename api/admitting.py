"""The pictures that a request carries, decoded; what is wrong with each is said by its number, however it came."""

from collections.abc import Callable, Sequence
from functools import partial

from litestar.datastructures import UploadFile

from api.backend import Backend
from api.errors import Fault, PicturesRefused
from inference.errors import ConsultationRefused
from inference.types import MAX_PICTURES
from knowledge.errors import PictureRefused
from knowledge.pictures import Picture


async def pictures_of(backend: Backend, images: Sequence[UploadFile]) -> list[Picture]:
    """The pictures of a consultation. Raises ConsultationRefused for none or too many, and as `decoded` does."""
    if not 1 <= len(images) <= MAX_PICTURES:
        raise ConsultationRefused(f"send 1 to {MAX_PICTURES} pictures, not {len(images)}")
    return await admitted(backend, images)


async def admitted(backend: Backend, files: Sequence[UploadFile]) -> list[Picture]:
    """The pictures of some files. Raises as `decoded` does."""
    return await decoded(backend, [partial(_admit, backend, file) for file in files])


async def decoded(backend: Backend, loads: Sequence[Callable[[], Picture]]) -> list[Picture]:
    """What each gives that may raise PictureRefused. Raises PicturesRefused naming each bad one by its number, from 1."""
    pictures, faults = [], []
    for number, load in enumerate(loads, start=1):
        try:
            pictures.append(await backend.answer(load))
        except PictureRefused as error:
            faults.append(Fault(str(error), picture=number, reason=error.reason))
    if faults:
        raise PicturesRefused(faults)
    return pictures


def _admit(backend: Backend, file: UploadFile) -> Picture:
    return backend.service.admit(file.file.read())
