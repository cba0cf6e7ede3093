"""Nearest neighbours and the map, against scikit-learn."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from mu.report import point_map
from mu.report.neighbours import nearest, principal_plane, unit


def test_neighbours_and_map_against_sklearn():
    vectors = np.random.default_rng(0).standard_normal((1500, 12)).astype(np.float32)
    vectors[:, 0] *= 5
    rows, cosines = nearest(unit(vectors), 4)
    oracle = NearestNeighbors(n_neighbors=5, metric="cosine").fit(vectors.astype(np.float64))
    distances, wanted = oracle.kneighbors(vectors.astype(np.float64))
    np.testing.assert_array_equal(rows, wanted[:, 1:])
    np.testing.assert_allclose(cosines, 1 - distances[:, 1:], atol=1e-5)
    places, variance = principal_plane(vectors)
    pca = PCA(2).fit(vectors.astype(np.float64))
    np.testing.assert_allclose(np.abs(places), np.abs(pca.transform(vectors.astype(np.float64))), atol=1e-5)
    np.testing.assert_allclose(variance, pca.explained_variance_ratio_, atol=1e-6)
    # Which way a direction points is decided by the vectors, not by the solver.
    np.testing.assert_allclose(principal_plane(vectors[::-1])[0][::-1], places, atol=1e-6)


def test_neighbours_and_map_of_little():
    assert [part.shape for part in nearest(unit(np.zeros((1, 3), np.float32)), 4)] == [(1, 0), (1, 0)]
    places, variance = principal_plane(np.ones((3, 1), np.float32))
    assert not places.any() and not variance.any()
    markers = point_map.points_of(places, [0, 40, -1], ["a", "b", "c"], {1: "x"})
    assert [one.title for one in markers] == ["a", "c", "b"], "one that leads to a card lies on top"
    assert not any("nan" in one.d for one in markers) and markers[-1].style.endswith("ring")
