"""Audio and spectrograms of the clips on a page: which part of each, and its picture."""

import dataclasses
from collections.abc import Sequence

from mu.report.audio import Piece, Sounds
from mu.report.spectrograms import Spectrogram, pictures, spectrogram

# A page of at most 6 MB: 6 to 12 kB a second of sound, and 40 kB a picture.
LONGEST_S, SOUND_S = 10.0, 300.0


@dataclasses.dataclass(frozen=True, eq=False)
class Media:
    """Audio and picture of a clip.

    Attributes:
      clip: its id.
      piece: the part of it that can be played.
      spectrogram: of that part.
    """

    clip: str
    piece: Piece
    spectrogram: Spectrogram


def media_of(sounds: Sounds, clips: Sequence[str], rows: Sequence[int]) -> dict[int, Media]:
    """Row -> audio and spectrogram, of those rows whose clip can be read; each clip is read once.

    Args:
      sounds: the audio of clips.
      clips: id of each row.
      rows: that are on the page, some of them more than once.
    """
    longest_s = min(LONGEST_S, SOUND_S / max(len(rows), 1))
    pieces = {row: sounds.piece(clips[row], longest_s) for row in dict.fromkeys(rows)}
    readable = {row: piece for row, piece in pieces.items() if piece is not None}
    images = pictures(list(readable.values()))
    return {
        row: Media(clips[row], piece, spectrogram(image, piece, clips[row]))
        for (row, piece), image in zip(readable.items(), images, strict=True)
    }
