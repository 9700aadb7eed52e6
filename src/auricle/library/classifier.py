"""A small classifier from a few examples: logistic regression on the windows' vectors, calibrated and cross-validated.

    windows of the examples ─→ unit vectors ─→ logistic regression ─→ log-odds ─→ calibrated log-odds

All windows of an example together count as one, so that a long example says no more than a short one, and both classes
weigh the same. How strong the regularisation is gets chosen by cross-validation once there are examples enough.
Log-odds become probabilities by the sigmoid of Platt (1999), "Probabilistic outputs for support vector machines", with
his targets short of 0 and 1, fitted to what models said of recordings they had not seen.

Cross-validation keeps the examples of one recording together: a model that recognises the recording must not look as if
it recognised the sound. The same folds choose among three regularisations and tell how well that one does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
STRENGTH = 10.0  # inverse regularisation while there are few examples: the best of ten sounds taught by 5 + 5 clips
STRENGTHS = (1.0, 10.0, 100.0)  # tried once each class has …
ENOUGH = 10  # … this many examples to choose by
LEAST_SLOPE = 0.05  # of the sigmoid: a model no better than chance becomes an unsure one, never a reversed one

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Examples:
    """What is learnt from: windows, the examples they belong to, and the recordings those come from."""

    vectors: NDArray[np.float32]  # [windows, dim], unit length
    example: NDArray[np.integer]  # [windows], ordinal of the example
    positive: Mask  # [examples]
    recording: NDArray  # [examples], any name of the recording

    @property
    def label(self) -> Mask:
        """Whether each window belongs to a positive example [windows]."""
        return self.positive[self.example]

    def among(self, windows: Mask) -> Mask:
        """The examples that some windows belong to [examples]."""
        return np.isin(np.arange(len(self.positive)), self.example[windows])

    def weights(self, chosen: Mask) -> Floats:
        """Weights [windows] with which every chosen example counts the same within its class, and both classes too."""
        of_class = np.where(self.positive, (chosen & self.positive).sum(), (chosen & ~self.positive).sum())
        windows = np.bincount(self.example, minlength=len(chosen))
        return (chosen * chosen.sum() / (2 * np.maximum(of_class, 1) * np.maximum(windows, 1)))[self.example]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Calibrated log-odds of a unit vector ``x`` are ``x @ weights + bias``. What is None could not be estimated."""

    weights: NDArray[np.float32]  # [dim]
    bias: float
    average_precision: float | None  # of examples whose recordings were not trained on, in [0, 1]
    accuracy: float | None  # of the same, as the mean over both classes
    folds: int  # of the cross-validation; 0 when one class comes from a single recording
    unseen: NDArray[np.floating]  # [examples], calibrated log-odds from models that had not seen the recording, or NaN


def learn(examples: Examples) -> Classifier:
    """Trains on all ``examples`` and says how well models of the same kind did on recordings they had not seen."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):  # on vectors this short, threads only wait for each other
        return _learn(examples)


def _learn(examples: Examples) -> Classifier:
    everything = np.ones(len(examples.positive), bool)
    folds = _folds(examples)
    if not folds:
        weights, bias = _fit(examples, everything, STRENGTH)
        return Classifier(weights.astype(np.float32), bias, None, None, 0, np.full(len(examples.positive), np.nan))
    fewest = min(examples.positive.sum(), (~examples.positive).sum())
    odds = {
        strength: _unseen(examples, folds, strength) for strength in (STRENGTHS if fewest >= ENOUGH else [STRENGTH])
    }
    strength = min(odds, key=lambda strength: _loss(odds[strength], examples))
    slope, offset = _sigmoid(odds[strength], examples)
    mean = _of_examples(odds[strength], examples)
    precision, accuracy = _quality(mean, examples)
    weights, bias = _fit(examples, everything, strength)
    return Classifier(
        weights=(slope * weights).astype(np.float32),
        bias=slope * bias + offset,
        average_precision=precision,
        accuracy=accuracy,
        folds=len(folds),
        unseen=slope * mean + offset,
    )


def _fit(examples: Examples, chosen: Mask, strength: float) -> tuple[Floats, float]:
    """Weights and bias of the logistic regression on the windows of some examples."""
    from sklearn.linear_model import LogisticRegression

    rows = chosen[examples.example]
    model = LogisticRegression(C=strength, max_iter=1_000)
    model.fit(examples.vectors[rows], examples.label[rows], sample_weight=examples.weights(chosen)[rows])
    return np.asarray(model.coef_)[0], float(np.asarray(model.intercept_)[0])


def _folds(examples: Examples) -> list[tuple[Mask, Mask]]:
    """Pairs of examples to train on and to test on; [] when all of a class come from a single recording."""
    from sklearn.model_selection import StratifiedGroupKFold

    positive, recording = examples.positive, examples.recording
    count = min(FOLDS, *(len(np.unique(recording[kind])) for kind in (positive, ~positive)))
    if count < 2:
        return []
    pairs = []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    for _, test in splitter.split(recording, positive, recording):
        tested = np.isin(np.arange(len(positive)), test)
        if len(np.unique(positive[~tested])) == 2:
            pairs.append((~tested, tested))
    return pairs


def _unseen(examples: Examples, folds: list[tuple[Mask, Mask]], strength: float) -> Floats:
    """Log-odds [windows] from the models that did not train on them; NaN for windows in no fold."""
    odds = np.full(len(examples.vectors), np.nan)
    for trained, tested in folds:
        weights, bias = _fit(examples, trained, strength)
        rows = tested[examples.example]
        odds[rows] = examples.vectors[rows] @ weights + bias
    return odds


def _loss(odds: Floats, examples: Examples) -> float:
    judged = np.isfinite(odds)
    sign = np.where(examples.label[judged], 1, -1)
    return float(examples.weights(examples.among(judged))[judged] @ np.logaddexp(0, -sign * odds[judged]))


def _sigmoid(odds: Floats, examples: Examples) -> tuple[float, float]:
    """Slope and offset that make probabilities of log-odds, by Platt's method."""
    from sklearn.linear_model import LogisticRegression

    judged = np.isfinite(odds)
    chosen = examples.among(judged)
    weights, odds = examples.weights(chosen)[judged], odds[judged]
    positives, negatives = (chosen & examples.positive).sum(), (chosen & ~examples.positive).sum()
    target = np.where(examples.label[judged], (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # A target between 0 and 1 is an example of both classes, with the weight it gives to each.
    model = LogisticRegression(C=np.inf, max_iter=1_000)
    model.fit(
        np.concatenate([odds, odds])[:, None],
        np.repeat([True, False], len(odds)),
        sample_weight=np.concatenate([weights * target, weights * (1 - target)]),
    )
    return max(float(np.asarray(model.coef_)[0, 0]), LEAST_SLOPE), float(np.asarray(model.intercept_)[0])


def _of_examples(odds: Floats, examples: Examples) -> Floats:
    """The mean log-odds of the windows of each example [examples]; NaN for those in no fold."""
    judged = np.isfinite(odds)
    count = np.bincount(examples.example[judged], minlength=len(examples.positive))
    total = np.bincount(examples.example[judged], odds[judged], minlength=len(examples.positive))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _quality(mean: Floats, examples: Examples) -> tuple[float, float]:
    """Average precision and balanced accuracy of the examples, each judged by the ``mean`` of its windows' log-odds."""
    from sklearn.metrics import average_precision_score

    judged = np.isfinite(mean)
    mean, positive = mean[judged], examples.positive[judged]
    right = (mean > 0) == positive
    accuracy = (right[positive].mean() + right[~positive].mean()) / 2
    return float(average_precision_score(positive, mean)), float(accuracy)
