"""Clusters of vectors, for labels that nobody gave."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def kmeans(x: Tensor, clusters: int, seed: int) -> Tensor:
    """Centres [clusters, width] of vectors ``x`` [n, width], by k-means in small batches.

    Raises:
        ValueError: there are fewer vectors than clusters.
    """
    from sklearn.cluster import MiniBatchKMeans

    means: Any = MiniBatchKMeans  # its types are narrower than its documentation
    found = means(clusters, batch_size=2048, n_init=3, random_state=seed)
    found.fit(x.numpy())
    return torch.from_numpy(found.cluster_centers_.astype(np.float32))


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """Numbers [...] of the ``centres`` [clusters, width] closest to vectors ``x`` [..., width]."""
    flat = x.reshape(-1, x.shape[-1])
    far = centres.square().sum(dim=1) - 2 * flat @ centres.T  # the vector's own length does not matter
    return far.argmin(dim=1).reshape(x.shape[:-1])


def whitened(x: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Vectors [n, <= dimensions] of length 1: the principal components of ``x`` [n, width], each of variance 1."""
    from sklearn.decomposition import PCA

    kept = PCA(min(dimensions, len(x) - 1, x.shape[1]), whiten=True, svd_solver="full").fit_transform(x)
    return (kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)).astype(np.float32)
