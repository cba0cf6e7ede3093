"""Names of artists, releases and tracks, drawn from word lists."""

import numpy as np

GENRES = (
    "ambient", "blues", "classical", "country", "electronic", "folk",
    "hip hop", "indie", "jazz", "metal", "pop", "soul",
)  # fmt: skip
KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
COUNTRIES = ("US", "BR", "IN", "DE", "GB", "MX", "FR", "JP", "NG", "SE")
AGE_GROUPS = ("under 18", "18-24", "25-34", "35-44", "45-54", "55 and over")

_ADJECTIVES = (
    "amber", "blue", "bitter", "borrowed", "bright", "broken", "burning", "careless", "crooked", "crystal",
    "distant", "double", "early", "electric", "empty", "endless", "faded", "final", "foreign", "frozen",
    "gentle", "golden", "half-lit", "heavy", "hidden", "hollow", "honest", "idle", "last", "late", "lonely",
    "long", "lost", "lucky", "midnight", "narrow", "northern", "open", "pale", "paper", "patient", "plain",
    "quiet", "restless", "salt", "scarlet", "second", "secret", "silver", "simple", "sleepless", "slow",
    "small", "southern", "strange", "sudden", "tender", "velvet", "violet", "wild",
)  # fmt: skip
_NOUNS = (
    "animal", "answer", "arrow", "avenue", "bird", "boat", "border", "bridge", "candle", "canyon", "caravan",
    "cellar", "chapel", "circle", "city", "cloud", "coast", "compass", "corner", "crow", "dancer", "desert",
    "diamond", "door", "engine", "feather", "field", "fire", "flood", "forest", "fountain", "garden",
    "ghost", "glass", "harbour", "heart", "horizon", "house", "island", "kingdom", "ladder", "lantern",
    "letter", "lion", "machine", "map", "meadow", "mirror", "moon", "mountain", "needle", "ocean", "orchard",
    "palace", "photograph", "pilot", "planet", "radio", "rain", "river", "road", "room", "rose", "shadow",
    "signal", "sister", "sky", "sparrow", "stairway", "station", "stone", "storm", "stranger", "street",
    "summer", "telephone", "thunder", "tower", "train", "valley", "wave", "whisper", "window", "winter",
    "wolf",
)  # fmt: skip
_VERBS = (
    "asking", "breaking", "calling", "carrying", "chasing", "counting", "crossing", "drawing", "dreaming",
    "driving", "facing", "finding", "following", "forgetting", "holding", "keeping", "leaving", "losing",
    "missing", "naming", "painting", "reading", "remembering", "running", "saving", "selling", "singing",
    "stealing", "trading", "turning", "waking", "watching", "writing",
)  # fmt: skip
_FIRST = (
    "Ada", "Agnes", "Amara", "Anton", "Astrid", "Benoit", "Bruno", "Camille", "Carlos", "Chidi", "Clara",
    "Dario", "Edith", "Elias", "Emeka", "Esther", "Femi", "Freya", "Gita", "Greta", "Hana", "Henrik", "Ines",
    "Iris", "Ivan", "Jonas", "Juno", "Kaito", "Kemi", "Lars", "Leila", "Lena", "Lucia", "Magnus", "Maya",
    "Mei", "Milan", "Nadia", "Nils", "Nora", "Olga", "Oscar", "Paulo", "Petra", "Priya", "Ravi", "Rosa",
    "Sami", "Selma", "Sofia", "Tariq", "Teresa", "Tomas", "Uma", "Vera", "Viktor", "Wanda", "Yara", "Yusuf",
    "Zoe",
)  # fmt: skip
_LAST = (
    "Abara", "Almeida", "Andersen", "Banerjee", "Barros", "Becker", "Castillo", "Dahl", "Delacroix", "Dubois",
    "Eriksen", "Falk", "Ferreira", "Fischer", "Fontaine", "Garza", "Hale", "Hartley", "Hayashi", "Holm",
    "Ito", "Iyer", "Jansen", "Kato", "Keller", "Khan", "Kovacs", "Laurent", "Lindqvist", "Lowe", "Marchetti",
    "Marlow", "Mbeki", "Mendes", "Mori", "Nakamura", "Novak", "Nwosu", "Okafor", "Olsen", "Ortega",
    "Pereira", "Quist", "Rao", "Reyes", "Rossi", "Sandoval", "Sato", "Shaw", "Silva", "Stone", "Tanaka",
    "Torres", "Vance", "Varga", "Weiss", "Whitlock", "Wren", "Yamada", "Ziegler",
)  # fmt: skip


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def _plural(noun: str) -> str:
    if noun == "wolf":
        return "wolves"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def title(rng: np.random.Generator) -> str:
    """A title of a track or a release; titles may repeat, as they do."""
    pattern = rng.integers(6)
    noun = _pick(rng, _NOUNS)
    if pattern == 0:
        words = f"{_pick(rng, _ADJECTIVES)} {noun}"
    elif pattern == 1:
        words = f"the {noun}"
    elif pattern == 2:
        words = f"{_pick(rng, _VERBS)} the {noun}"
    elif pattern == 3:
        words = f"{noun} of {_plural(_pick(rng, _NOUNS))}"
    elif pattern == 4:
        words = f"{_pick(rng, _ADJECTIVES)} {noun} {_pick(rng, _NOUNS)}"
    else:
        words = f"{_pick(rng, _VERBS)} {_pick(rng, _FIRST)}"
    return " ".join(
        word if word in ("the", "of") and i else word[0].upper() + word[1:] for i, word in enumerate(words.split())
    )


def artist_names(rng: np.random.Generator, n: int) -> list[str]:
    """`n` different names of bands and people."""
    names: dict[str, None] = {}
    while len(names) < n:
        pattern = rng.integers(4)
        if pattern == 0:
            name = f"{_pick(rng, _FIRST)} {_pick(rng, _LAST)}"
        elif pattern == 1:
            name = f"the {_pick(rng, _ADJECTIVES)} {_plural(_pick(rng, _NOUNS))}".title()
        elif pattern == 2:
            name = f"{_pick(rng, _ADJECTIVES)} {_pick(rng, _NOUNS)}".title()
        else:
            name = f"{_pick(rng, _FIRST)} & the {_plural(_pick(rng, _NOUNS)).title()}"
        # There are about 20,000 names of these kinds; a world with more artists numbers the later namesakes.
        if name in names and len(names) > 10_000:
            name = f"{name} {len(names)}"
        names[name] = None
    return list(names)
