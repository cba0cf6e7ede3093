"""Words for the units of an evaluation, and for the columns whose values the bootstrap draws whole."""

ID_COLUMNS = {
    "content_hash": "recording",
    "freesound_clip_id": "Freesound clip",
    "freesound_id": "Freesound clip",
    "youtube_id": "YouTube video",
    "ytid": "YouTube video",
}
"""Columns of ids whose names say little of what has the id -> what has it."""


def noun(column: str) -> str:
    """What a value of a column stands for: 'recording' of 'recording_id', 'source recording' of 'source_recording'."""
    words = column.replace("_", " ").strip()
    return ID_COLUMNS.get(column, words.removesuffix(" id") or words)


def plural(word: str) -> str:
    """The plural of a regular English noun: 'clips', 'classes', 'categories'."""
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in ("", *"aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def counted(number: int, word: str) -> str:
    """'1 user', '1,204 users'."""
    return f"{number:,} {word if number == 1 else plural(word)}"
