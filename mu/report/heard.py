"""The clips that are heard and seen on the page: which part of each, its picture and its player."""

from collections.abc import Callable, Sequence

from mu.report.audio import Piece, player
from mu.report.markup import Html, join, tag
from mu.report.run import AudioRun
from mu.report.spectrograms import pictures, spectrogram, thumbnail

# A page of at most 6 MB: 6 to 12 kB a second of sound, and 40 kB a picture.
LONGEST_S, SOUND_S = 10.0, 300.0


class Heard:
    """Pieces and pictures of the clips that are on the page, each read once."""

    def __init__(self, run: AudioRun, rows: Sequence[int]):
        clips = run.results["model"].clips
        longest_s = min(LONGEST_S, SOUND_S / max(len(rows), 1))
        pieces = {row: run.sounds.piece(clips[row], longest_s) for row in dict.fromkeys(rows)}
        self.pieces: dict[int, Piece] = {row: piece for row, piece in pieces.items() if piece is not None}
        self.images = dict(zip(self.pieces, pictures(list(self.pieces.values())), strict=True))
        self._clips = clips

    def card(self, row: int) -> Html:
        """Spectrogram with axes, and a player."""
        return self._shown(row, spectrogram)

    def small(self, row: int) -> Html:
        """A small spectrogram, and a player."""
        return self._shown(row, thumbnail)

    def _shown(self, row: int, draw: Callable[[bytes, Piece, str], Html]) -> Html:
        if row not in self.pieces:
            return tag("p", "Its sound cannot be read.", class_="soft")
        piece, name = self.pieces[row], self._clips[row]
        return join(
            draw(self.images[row], piece, name), player(piece, name), tag("p", piece.words, class_="soft small")
        )
