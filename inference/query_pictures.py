"""The pictures of one consultation as models see them."""

from collections.abc import Sequence

from anyio import to_thread

from inference.prompts import ImagePart, Pixels
from inference.served import ServedModel


class QueryPictures:
    """Each prepared once for all stages that see it alike. Lives as long as its consultation."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self._pictures = pictures
        self._prepared: dict[int, Sequence[ImagePart]] = {}  # by their longest side in px

    async def seen_by(self, model: ServedModel) -> Sequence[ImagePart]:
        """As this model was trained to see them. In a thread: a photograph of 50 megapixels takes a second."""
        size = model.profile.preprocessing.longest_side
        if size not in self._prepared:
            self._prepared[size] = await to_thread.run_sync(lambda: [model.prepared(one) for one in self._pictures])
        return self._prepared[size]
