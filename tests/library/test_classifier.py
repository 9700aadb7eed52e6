import numpy as np
import pytest
from scipy.optimize import minimize

from auricle.library import classifier
from auricle.library.classifier import Examples, learn
from auricle.library.own_tags import unit


def examples(count: int, seed: int, apart: float = 1.0, per_recording: int = 1, windows=(1, 6)) -> Examples:
    """``count`` examples of each kind whose vectors lie ``apart``, with a few windows each."""
    random = np.random.default_rng(seed)
    positive = np.arange(2 * count) < count
    sizes = random.integers(*windows, 2 * count)
    example = np.repeat(np.arange(2 * count), sizes)
    vectors = random.normal(size=(len(example), 12))
    vectors[:, 0] += apart * np.where(positive[example], 1, -1)
    recording = np.arange(2 * count) // per_recording
    return Examples(unit(vectors), example, positive, recording)


def test_every_example_and_both_classes_weigh_the_same():
    given = examples(6, seed=0)
    chosen = np.array([True, False, True, True, True, True, True, True, False, False, False, False])
    weights = given.weights(chosen)
    total = np.bincount(given.example, weights)
    assert (total[~chosen] == 0).all()
    assert np.ptp(total[chosen & given.positive]) == pytest.approx(0)
    assert total[given.positive].sum() == pytest.approx(total[~given.positive].sum())
    assert total.sum() == pytest.approx(chosen.sum())


def test_no_recording_is_on_both_sides_of_a_fold():
    given = examples(12, seed=1, per_recording=3)
    folds = classifier._folds(given)
    assert len(folds) == 4
    assert (sum(tested for _, tested in folds) == 1).all()
    for trained, tested in folds:
        assert not set(given.recording[trained]) & set(given.recording[tested])


def test_a_model_that_knows_the_recording_does_not_pass_for_one_that_knows_the_sound():
    """Each recording has a vector of its own, all of its examples the same label, and the label says nothing else."""
    random = np.random.default_rng(2)
    scores = []
    for _ in range(8):
        recording = np.repeat(np.arange(10), 4)
        places = random.normal(size=(10, 40))
        vectors = unit(places[recording] + 0.05 * random.normal(size=(40, 40)))
        positive = np.isin(recording, random.permutation(10)[:5])
        scores.append(learn(Examples(vectors, np.arange(40), positive, recording)).accuracy)
    assert np.mean(scores) < 0.65


def test_estimates_hold_on_what_was_never_seen():
    learnt = learn(examples(40, seed=3, apart=0.7))
    fresh = examples(400, seed=4, apart=0.7, windows=(1, 2))
    odds = fresh.vectors @ learnt.weights + learnt.bias
    right = ((odds > 0) == fresh.positive).mean()
    probability = 1 / (1 + np.exp(-odds))
    assert right == pytest.approx(learnt.accuracy, abs=0.1)
    sure = probability > 0.8
    assert fresh.positive[sure].mean() == pytest.approx(probability[sure].mean(), abs=0.08)


def test_probabilities_of_a_hopeless_task_stay_near_the_middle():
    learnt = learn(examples(30, seed=5, apart=0.0))
    probability = 1 / (1 + np.exp(-(examples(100, seed=6, apart=0.0).vectors @ learnt.weights + learnt.bias)))
    assert 0.25 < probability.min() < probability.max() < 0.75
    assert learnt.average_precision < 0.75


def test_the_sigmoid_is_platts():
    given = examples(15, seed=7, windows=(1, 2))
    random = np.random.default_rng(8)
    odds = 3 * np.where(given.label, 1, -1) + random.normal(size=len(given.label)) * 2 - 1
    slope, offset = classifier._sigmoid(odds, given)
    target = np.where(given.label, 16 / 17, 1 / 17)  # (N + 1) / (N + 2) and 1 / (N + 2), N = 15

    def loss(ab):
        p = 1 / (1 + np.exp(-(ab[0] * odds + ab[1])))
        return -np.sum(target * np.log(p) + (1 - target) * np.log(1 - p))

    best = minimize(loss, [1.0, 0.0], tol=1e-10).x
    np.testing.assert_allclose([slope, offset], best, atol=2e-3)
    assert classifier._sigmoid(-odds, given)[0] == classifier.LEAST_SLOPE


def test_the_same_examples_give_the_same_classifier():
    first, second = learn(examples(12, seed=9)), learn(examples(12, seed=9))
    np.testing.assert_array_equal(first.weights, second.weights)
    assert first.bias == second.bias
