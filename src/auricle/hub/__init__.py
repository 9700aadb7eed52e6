"""The hub: what systems there are, where their weights come from, and how they are run without torch."""

from auricle.hub.cache import home, library_dir, weights_dir
from auricle.hub.card import Card, Weights
from auricle.hub.fetch import cached, derived, fetch, fetch_all
from auricle.hub.onnx import session
from auricle.hub.registry import load, systems, verdict

__all__ = [
    "Card",
    "Weights",
    "cached",
    "derived",
    "fetch",
    "fetch_all",
    "home",
    "library_dir",
    "load",
    "session",
    "systems",
    "verdict",
    "weights_dir",
]
