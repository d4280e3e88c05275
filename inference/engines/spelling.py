"""Which tokens may come next when an answer must be one of a list of texts.

Any way to spell a choice is allowed, not only the tokenizer's own: that is how grammar backends of servers do it, so
the same model gives the same label here and there.
"""

from collections.abc import Iterable, Sequence

from inference.engines.errors import InputRefused


class Speller:
    """Knows what each token of a vocabulary adds to a text."""

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` in the order of the token ids.

        Tokens that are no text of their own (parts of a character, special ones) come as empty strings; they are
        never allowed.
        """
        self._texts = tuple(texts)
        self._ids: dict[str, list[int]] = {}
        for number, text in enumerate(self._texts):
            if text:
                self._ids.setdefault(text, []).append(number)

    def next_tokens(self, choices: Sequence[str], written: Iterable[int], ends: Sequence[int]) -> list[int]:
        """Ids after which the text is still the beginning of a choice, and `ends` where it is one; ascending.

        Raises InputRefused when there is none because the vocabulary cannot spell the choices.
        """
        text = "".join(self._texts[number] for number in written)
        rests = {choice[len(text) :] for choice in choices if choice.startswith(text)}
        pieces = {rest[:length] for rest in rests for length in range(1, len(rest) + 1)}
        allowed = {number for piece in pieces for number in self._ids.get(piece, ())}
        if "" in rests:
            allowed.update(ends)
        if not allowed:
            raise InputRefused("the model has no tokens to spell the choices with")
        return sorted(allowed)
