"""UMAP in NumPy: points in many dimensions laid out on a plane so that neighbours stay neighbours.

Follows McInnes, Healy and Melville (2018), "UMAP: Uniform Manifold Approximation and Projection", arXiv:1802.03426:

    vectors ─→ nearest neighbours ─→ fuzzy graph (§3.1) ─→ principal plane ─→ attraction along edges, repulsion (§3.2)

with two differences. Neighbours are found exactly, which takes seconds at the sizes meant here. And each epoch moves
all points at once by the sum of their forces instead of one after the other, so that the work is a few array operations
and the outcome depends on the seed alone, not on threads.

Why not a package. Measured on 4,000 windows of ESC-10 heard by YAMNet (trustworthiness of 10 neighbours, CPU seconds on
two cores, megabytes installed beyond what auricle needs anyway):

    this module     0.98     5 s      0 MB
    umap-learn      0.98    35 s    190 MB (numba, llvmlite; the first call compiles for 25 s)
    PaCMAP          0.98    15 s    260 MB (numba, faiss)
    openTSNE        0.99    36 s     12 MB (no wheels for Linux on ARM)
    scikit-learn    0.99    51 s      0 MB (t-SNE; tells nothing of its progress)
    principal plane 0.83     0 s      0 MB
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 15
EPOCHS = 200
REPELLED = 5  # points each point is pushed away from, for every neighbour it is drawn to
# The curve 1 / (1 + A d^2B) that best fits "1 up to a distance of 0.1, then exp(0.1 - d)" (§4.2, min-dist 0.1).
A, B = 1.577, 0.895
FARTHEST_MOVE = 4.0  # of a point, by one force in one epoch
SPREAD = 10.0  # half the width of the first layout
BLOCK = 1_024  # rows whose distances to all are held at once

Floats = NDArray[np.float32]


def layout(vectors: Floats, seed: int = 0, progress: Callable[[float], None] | None = None) -> Floats:
    """Places points on a plane.

    Args:
        vectors: [points, dim], compared by Euclidean distance; unit vectors are compared by angle.
        seed: the same seed and vectors give the same layout.
        progress: called with the share of the work that is done, in [0, 1].

    Returns:
        Coordinates [points, 2], centred; far more than a few thousand points take minutes.
    """
    count = len(vectors)
    tell = progress or (lambda share: None)
    place = _principal_plane(vectors)
    if count <= 2:
        return place
    near, distance = neighbours(vectors, vectors, min(NEIGHBOURS, count - 1), skip_self=True)
    tell(0.1)
    heads, tails, weights = _graph(near, distance)
    random = np.random.default_rng(seed)
    place += random.normal(scale=1e-3, size=place.shape).astype(np.float32)  # equal vectors must be able to part
    share = (weights / weights.max()).astype(np.float32)  # of the epochs in which an edge pulls
    kept = share >= 1 / EPOCHS
    heads, tails, share = heads[kept], tails[kept], share[kept]
    phase = random.random(len(share), dtype=np.float32)
    for epoch in range(EPOCHS):
        pulls = np.floor(phase + (epoch + 1) * share) > np.floor(phase + epoch * share)
        one, other = heads[pulls], tails[pulls]
        pushed = np.repeat(one, REPELLED)
        away = random.integers(0, count, len(pushed), dtype=np.int32)
        # Every edge is there in both directions, so drawing one end twice as far is drawing both ends.
        move = 2 * _sum_at(one, _attraction(place[one] - place[other]), count)
        move += _sum_at(pushed, _repulsion(place[pushed] - place[away]), count)
        place += (1 - epoch / EPOCHS) * move
        tell(0.1 + 0.9 * (epoch + 1) / EPOCHS)
    return place - place.mean(axis=0)


def neighbours(
    queries: Floats, points: Floats, count: int, *, skip_self: bool = False
) -> tuple[NDArray[np.int32], Floats]:
    """The ``count`` nearest ``points`` of each query, nearest first: ordinals and distances [queries, count].

    Args:
        skip_self: the queries are the points, and none is its own neighbour.
    """
    near = np.empty((len(queries), count), np.int32)
    distance = np.empty((len(queries), count), np.float32)
    squares = np.einsum("ij,ij->i", points, points)
    for start in range(0, len(queries), BLOCK):
        here = queries[start : start + BLOCK]
        rows = np.arange(len(here))
        squared = np.einsum("ij,ij->i", here, here)[:, None] + squares - 2 * here @ points.T
        if skip_self:
            squared[rows, start + rows] = np.inf
        some = np.argpartition(squared, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(squared, some, 1)
        order = np.lexsort((some, found), axis=1)  # by distance, then by ordinal
        near[start : start + BLOCK] = np.take_along_axis(some, order, 1)
        distance[start : start + BLOCK] = np.sqrt(np.maximum(np.take_along_axis(found, order, 1), 0))
    return near, distance


def _principal_plane(vectors: Floats) -> Floats:
    """Coordinates in the two directions of most variance, the widest spanning ``SPREAD``; signs are fixed."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64) if len(vectors) else np.zeros((0, 2))
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane = np.zeros((len(vectors), 2))
    plane[:, : min(2, axes.shape[1])] = centred @ axes[:, ::-1][:, :2]
    widest = np.abs(plane).max(axis=0, initial=0)
    farthest = np.abs(plane).argmax(axis=0) if len(plane) else [0, 0]
    signs = np.sign(plane[farthest, [0, 1]]) if len(plane) else 1
    return (SPREAD * np.where(signs == 0, 1, signs) * plane / max(widest.max(initial=0), 1e-9)).astype(np.float32)


def _graph(near: NDArray[np.int32], distance: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Edges of the fuzzy graph in both directions, and how surely each is one, in (0, 1].

    Each point's nearest neighbour is surely one, and its neighbours' certainties sum to log2 of their number; an edge
    is there if it is for either of its ends (§3.1).
    """
    count, each = near.shape
    beyond = np.maximum(distance - distance[:, :1], 0).astype(np.float64)
    low, high = np.full((count, 1), 1e-6), np.full((count, 1), 1e3)
    for _ in range(50):
        scale = np.sqrt(low * high)
        wide = np.exp(-beyond / scale).sum(axis=1, keepdims=True) > np.log2(each + 1)
        low, high = np.where(wide, low, scale), np.where(wide, scale, high)
    certain = np.exp(-beyond / scale).ravel()
    one, other = np.repeat(np.arange(count), each), near.ravel().astype(np.int64)
    edges, which = np.unique(np.concatenate([one * count + other, other * count + one]), return_inverse=True)
    forward = np.bincount(which[: len(one)], certain, minlength=len(edges))
    backward = np.bincount(which[len(one) :], certain, minlength=len(edges))
    return edges // count, edges % count, (forward + backward - forward * backward).astype(np.float32)


def _attraction(apart: Floats) -> Floats:
    """Moves [pairs, 2] towards the other end of an edge, down the gradient of -log(1 / (1 + A d^2B))."""
    squared = np.maximum(np.einsum("ij,ij->i", apart, apart), 1e-9)
    power = squared**B
    return np.clip((-2 * A * B * power / squared / (1 + A * power))[:, None] * apart, -FARTHEST_MOVE, FARTHEST_MOVE)


def _repulsion(apart: Floats) -> Floats:
    """Moves [pairs, 2] away from points that are no neighbours, down the gradient of -log(1 - 1 / (1 + A d^2B))."""
    squared = np.einsum("ij,ij->i", apart, apart)
    strength = 2 * B / ((0.001 + squared) * (1 + A * squared**B))
    return np.clip(strength[:, None] * apart, -FARTHEST_MOVE, FARTHEST_MOVE)


def _sum_at(points: NDArray[np.integer], moves: Floats, count: int) -> Floats:
    """The sum of the moves of each point [count, 2]."""
    return np.stack([np.bincount(points, moves[:, axis], count) for axis in (0, 1)], axis=1).astype(np.float32)
