"""The page of `mu similar`: a recording, and those of a library that sound most like it, each with a player."""

import os
from collections.abc import Sequence
from pathlib import Path

from mu.audio import io
from mu.data.clips.clips import Clips
from mu.files import write_whole
from mu.report.audio import Piece, Sounds
from mu.report.clip_media import LONGEST_S, SOUND_S, Media, media_of
from mu.report.clip_space import Neighbour, Neighbours
from mu.report.page import Head, Notice, Section, render
from mu.report.spectrograms import pictures, spectrogram

LIKE = "Recordings that sound like it"


def write_similar_page(
    output: str | os.PathLike[str],
    query: str,
    matches: Sequence[tuple[str, float]],
    clips: Clips,
    encoder: str,
    query_file: str | os.PathLike[str] | None = None,
) -> list[str]:
    """Writes one HTML file that fetches nothing.

    Args:
      output: the file.
      query: name of the recording that was asked for.
      matches: (clip, cosine) of others, the nearest first.
      clips: of the library, with their sound.
      encoder: in words.
      query_file: of the recording, where it is none of the library.

    Returns:
      What could not be read, a line each; the page is made without it.
    """
    sounds = Sounds(clips)
    names = [query, *(clip for clip, _ in matches)]
    rows = list(range(len(names))) if query_file is None else list(range(1, len(names)))
    media = media_of(sounds, names, rows)
    if query_file is not None:
        media[0] = _media_of_file(query_file, query, clips.sample_rate_hz, min(LONGEST_S, SOUND_S / len(names)))
    first = Neighbour(query, "", "asked for", None, "", media.get(0))
    others = [
        Neighbour(clip, "", "", None, f"cosine {cosine:.3f}", media.get(row))
        for row, (clip, cosine) in enumerate(matches, 1)
    ]
    words = f"The nearest first, by the cosine of what {encoder} makes of them; the middle of each can be played."
    lost = [f"{clip}: {why}" for clip, why in sounds.lost.items()]
    notices = [Notice("The sound of some recordings cannot be read.", lost)] if lost else []
    section = Section(LIKE, "clip_neighbours.html", Neighbours(words, [(query, [first, *others])]))
    head = Head(f"Like {query}", [f"{len(matches):,} of {len(clips):,} recordings"])
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, render(head, notices, [section], sound=bool(media)))
    return lost


def _media_of_file(file: str | os.PathLike[str], name: str, sample_rate_hz: int, longest_s: float) -> Media:
    """Audio and picture of the middle of a file."""
    sound, _ = io.read(file, sample_rate_hz=sample_rate_hz)
    wanted = min(len(sound), round(longest_s * sample_rate_hz))
    start = (len(sound) - wanted) // 2
    piece = Piece(sound[start : start + wanted], sample_rate_hz, start / sample_rate_hz, len(sound) / sample_rate_hz)
    (image,) = pictures([piece])
    return Media(name, piece, spectrogram(image, piece, name))
