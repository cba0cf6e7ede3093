"""What linear models and MLPs on feature vectors share: checks, standard units, and classes that training never saw."""

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.preprocessing import StandardScaler


def standardised(scaler: StandardScaler, features: np.ndarray) -> np.ndarray:
    """float64 [n, D]: the features less their mean, in units of their deviation."""
    return np.asarray(scaler.transform(np.asarray(features, np.float64)))


def fitted_scaler(features: np.ndarray) -> StandardScaler:
    """Mean and deviation of each feature; ValueError unless the features are float [n, D], n at least 1, all finite."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise ValueError(f"features {features.shape} must be [n, D], n at least 1, all finite")
    return StandardScaler().fit(features)


def fit_classifier(classifier: Any, x: np.ndarray, classes: np.ndarray) -> Any:
    """A scikit-learn classifier fitted to int classes [n]; where there is one class alone, a constant."""
    if len(np.unique(classes)) < 2:
        classifier = DummyClassifier()
    return classifier.fit(x, classes)


def probabilities(classifier: Any, x: np.ndarray, size: int) -> np.ndarray:
    """float32 [n, size]: the probability of each class; 0 for a class that training had no example of."""
    p = np.zeros((len(x), size), np.float32)
    p[:, classifier.classes_] = classifier.predict_proba(x)
    return p
