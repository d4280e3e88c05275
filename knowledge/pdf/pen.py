"""What of the graphics state moves or shapes text. Runs only in the child process."""

from dataclasses import dataclass

from knowledge.pdf.glyphs import Face
from knowledge.pdf.sheets import Matrix


@dataclass(slots=True)
class State:
    """The part of the graphics state that `q` saves."""

    matrix: Matrix
    face: Face
    size: float = 1.0
    spacing: float = 0.0
    word_spacing: float = 0.0
    stretch: float = 1.0
    leading: float = 0.0
    rise: float = 0.0

    def copy(self) -> "State":
        """The same values, to be changed on their own."""
        return State(
            self.matrix, self.face, self.size, self.spacing, self.word_spacing, self.stretch, self.leading, self.rise
        )
