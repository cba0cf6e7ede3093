"""Scenes, artists, releases and tracks of a simulated world, and how popular each track is in each week."""

import dataclasses

import numpy as np

from mu.world import names
from mu.world.score import BELL, FLUTE, GUITAR, PAD, PIANO, SYNTHESISER
from mu.world.settings import START_MS, WEEK_MS, Settings

AUDIBLE = ("tempo", "energy", "brightness", "acousticness", "danceability", "valence")
"""The first coordinates of a track's vector; they set the attributes, from which sound is made."""
N_SCENE_COORDINATES = 4
"""The other coordinates are inaudible: what listeners like about an artist (scene, image, language)."""
N_COORDINATES = len(AUDIBLE) + N_SCENE_COORDINATES
PAST_WEEKS = 520
"""The oldest releases are this many weeks older than the simulation."""


@dataclasses.dataclass(frozen=True, eq=False)
class Catalogue:
    """Every track of a world. V tracks, A artists, S scenes, D = 10 coordinates, W weeks, K tracks to flow to.

    Tracks of a release are consecutive and in album order; so are the releases of an artist, oldest first.

    Attributes:
      vectors: float64 [V, D], where a track lies; tastes are vectors of the same space.
      artist: int32 [V].
      release: int32 [V].
      scene: int32 [V].
      genre: int32 [V], index into `names.GENRES`.
      track_number: int32 [V], from 1.
      release_week: int32 [V]; the track comes out on Friday 00:00 UTC of that week; week 0 is the first
        simulated.
      popularity: float64 [V], Zipf weight, before release and novelty.
      duration_ms: int64 [V].
      tempo_bpm: float64 [V].
      key: int32 [V], 0 = C ... 11 = B.
      major: bool [V], else minor.
      shares: float64 [V, 5] in (0, 1): energy, brightness, acousticness, danceability, valence.
      metre: int32 [V], quarter notes a bar, 3 or 4.
      chords: int32 [V], the voice (`score.VOICES`) of the chords.
      lead: int32 [V], the voice of the melody.
      successor: int32 [V], the next track of the release; -1 after its last.
      flow: int32 [V, K], tracks that go well after this one, best first; -1 where there are fewer.
      artist_names: A names.
      release_titles: a title for each release.
      titles: V titles.
      scene_centres: float64 [S, D].
    """

    vectors: np.ndarray
    artist: np.ndarray
    release: np.ndarray
    scene: np.ndarray
    genre: np.ndarray
    track_number: np.ndarray
    release_week: np.ndarray
    popularity: np.ndarray
    duration_ms: np.ndarray
    tempo_bpm: np.ndarray
    key: np.ndarray
    major: np.ndarray
    shares: np.ndarray
    metre: np.ndarray
    chords: np.ndarray
    lead: np.ndarray
    successor: np.ndarray
    flow: np.ndarray
    artist_names: list[str]
    release_titles: list[str]
    titles: list[str]
    scene_centres: np.ndarray

    def __len__(self) -> int:
        return len(self.artist)

    @property
    def released_ms(self) -> np.ndarray:
        """int64 [V]: unix milliseconds at which each track comes out."""
        return START_MS + self.release_week.astype(np.int64) * WEEK_MS


def _releases(rng: np.random.Generator, settings: Settings) -> tuple[np.ndarray, ...]:
    """(artist, week, number of tracks) of every release, by artist and then by week."""
    n_tracks = settings.tracks
    n_artists = max(2, n_tracks // 14) if n_tracks > 1 else 1
    share = rng.gamma(1.5, size=n_artists)
    per_artist = np.diff(np.floor(np.cumsum(share) / share.sum() * (n_tracks - n_artists) + 1e-6), prepend=0) + 1
    per_artist[-1] += n_tracks - per_artist.sum()
    artists, sizes = [], []
    for artist, left in enumerate(per_artist.astype(int).tolist()):
        while left:  # singles, extended plays and albums
            size = min(left, int(rng.choice((1, 4, 8, 10, 12), p=(0.3, 0.15, 0.15, 0.2, 0.2))))
            artists.append(artist)
            sizes.append(size)
            left -= size
    artist, size = np.array(artists), np.array(sizes)
    # The past is denser towards today (square), the simulated weeks are even.
    past = -np.floor(PAST_WEEKS * rng.random(len(size)) ** 2).astype(np.int64)
    coming = 1 + np.floor((settings.weeks - 1) * rng.random(len(size))).astype(np.int64)
    out = rng.random(len(size)) < settings.released_before
    out[0] = True  # something must be there on the first day
    week = np.where(out | (settings.weeks == 1), past, coming)
    order = np.lexsort((week, artist))
    return artist, week[order], size[order]


def _popularity(rng: np.random.Generator, artist: np.ndarray, number: np.ndarray, settings: Settings) -> np.ndarray:
    """Zipf weights: the ranks come from the artist's fame, the place on the release and luck."""
    fame = rng.normal(size=artist.max() + 1)[artist] - 0.05 * number + 0.7 * rng.normal(size=len(artist))
    rank = np.empty(len(artist))
    rank[np.argsort(-fame, kind="stable")] = np.arange(1, len(artist) + 1)
    return (rank + settings.zipf_shift * settings.tracks) ** -settings.zipf_exponent


def _flow(vectors: np.ndarray, scene: np.ndarray, artist: np.ndarray, count: int) -> np.ndarray:
    """int32 [V, count]: which tracks go well after each, best first; -1 where there are fewer.

    Listeners look for a contrast: what goes well lies, among the scene's tracks by other artists, nearest to the
    point that the track reaches by a quarter turn round the middle of its scene (coordinates 0 and 1, 2 and 3, ...
    as planes). So the tracks that follow are not those that precede, and order tells more than co-occurrence.
    """
    flow = np.full((len(scene), count), -1, dtype=np.int32)
    for one in np.unique(scene):
        members = np.flatnonzero(scene == one)
        points = vectors[members]
        offset = points - points.mean(0)
        turned = np.empty_like(offset)
        turned[:, 0::2], turned[:, 1::2] = -offset[:, 1::2], offset[:, 0::2]
        ahead = points.mean(0) + turned
        distance = (ahead**2).sum(1)[:, None] - 2 * ahead @ points.T + (points**2).sum(1)[None, :]
        distance[artist[members][:, None] == artist[members][None, :]] = np.inf
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :count]
        exists = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
        flow[members, : nearest.shape[1]] = np.where(exists, members[nearest], -1)
    return flow


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def _arrangement(seed: int, artist: np.ndarray, acousticness: np.ndarray) -> dict[str, np.ndarray]:
    """Metre and voices: three in four times the artist's habit; acoustic voices where the music is.

    They come from a generator of their own, so that all other draws of a world do not depend on them.
    """
    rng = np.random.default_rng([seed, 4])
    habit, mood = rng.random((4, artist.max() + 1)), rng.random((4, len(artist)))
    metre, chords, lead, colour = np.where(rng.random((4, len(artist))) < 0.75, habit[:, artist], mood)
    electric = np.where(lead < 0.8, SYNTHESISER, BELL)
    return {
        "metre": np.where(metre < 0.25, 3, 4).astype(np.int32),
        "chords": np.where(chords < acousticness, GUITAR, np.where(colour < 0.5, PAD, PIANO)).astype(np.int32),
        "lead": np.where(lead < 0.8 * acousticness, np.where(colour < 0.5, GUITAR, FLUTE), electric).astype(np.int32),
    }


def make_catalogue(settings: Settings, seed: int) -> Catalogue:
    """Draws a catalogue; equal settings and seed give equal catalogues."""
    rng = np.random.default_rng([seed, 1])
    n_tracks, n_genres = settings.tracks, len(names.GENRES)
    release_artist, release_week, release_size = _releases(rng, settings)
    n_artists = int(release_artist.max()) + 1
    release = np.repeat(np.arange(len(release_size)), release_size)
    artist = release_artist[release]
    number = np.arange(n_tracks) - np.repeat(np.cumsum(release_size) - release_size, release_size) + 1

    # A scene is a corner of a genre, an artist lies near their scene, a track near its artist.
    n_scenes = max(4, round(0.75 * n_tracks**0.5))
    genre_of_scene = rng.permutation(np.arange(n_scenes) % n_genres)
    genre_centres = rng.normal(scale=0.8, size=(n_genres, N_COORDINATES))
    scene_centres = genre_centres[genre_of_scene] + rng.normal(scale=0.6, size=(n_scenes, N_COORDINATES))
    scene_of_artist = rng.choice(n_scenes, size=n_artists, p=rng.dirichlet(np.full(n_scenes, 3.0)))
    style = scene_centres[scene_of_artist] + rng.normal(scale=0.25, size=(n_artists, N_COORDINATES))
    own = rng.normal(scale=0.2, size=(n_tracks, N_COORDINATES))
    own[:, len(AUDIBLE) :] = 0  # tracks of one artist differ in audible coordinates only
    vectors = style[artist] + own
    scene = scene_of_artist[artist]

    shares = _sigmoid(1.3 * vectors[:, 1 : len(AUDIBLE)])
    home_key = rng.integers(12, size=n_artists)
    valence = vectors[:, AUDIBLE.index("valence")]
    successor = np.arange(1, n_tracks + 1)
    successor[np.flatnonzero(np.append(release[1:] != release[:-1], True))] = -1
    return Catalogue(
        vectors=vectors,
        artist=artist.astype(np.int32),
        release=release.astype(np.int32),
        scene=scene.astype(np.int32),
        genre=genre_of_scene[scene].astype(np.int32),
        track_number=number.astype(np.int32),
        release_week=release_week[release].astype(np.int32),
        popularity=_popularity(rng, artist, number, settings),
        duration_ms=1000 * np.clip(np.rint(215 * np.exp(0.25 * rng.normal(size=n_tracks))), 60, 600).astype(np.int64),
        tempo_bpm=np.clip(np.rint(120 * 2 ** (0.22 * vectors[:, 0])), 50, 220),
        key=((home_key[artist] + 7 * rng.integers(-1, 3, size=n_tracks)) % 12).astype(np.int32),
        major=valence + rng.normal(scale=0.5, size=n_tracks) > 0,
        shares=shares,
        **_arrangement(seed, artist, shares[:, AUDIBLE.index("acousticness") - 1]),
        successor=successor.astype(np.int32),
        flow=_flow(vectors, scene, artist, settings.flow_tracks),
        artist_names=names.artist_names(rng, n_artists),
        release_titles=[names.title(rng) for _ in release_size],
        titles=[names.title(rng) for _ in range(n_tracks)],
        scene_centres=scene_centres,
    )


def weekly_weights(catalogue: Catalogue, weeks: np.ndarray, settings: Settings) -> np.ndarray:
    """float64 [len(weeks), V]: popularity times novelty, 0 before release; the law without taste."""
    age = np.asarray(weeks)[:, None] - catalogue.release_week[None, :]
    novelty = 1 + settings.novelty * np.exp(-np.maximum(age, 0) / settings.novelty_weeks)
    return np.where(age >= 0, catalogue.popularity * novelty, 0.0)
