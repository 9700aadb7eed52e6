"""Own tags of recordings that were heard before a tag was taught, changed or forgotten."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from auricle.library import own_tags
from auricle.library.own_tags import OwnTags, Strongest
from auricle.library.store import RECORDINGS, Store, write_json
from auricle.library.vectors import matrix
from auricle.types import Tag

READ_ROWS = 8_192


def outdated(store: Store, ear: str) -> bool:
    """Whether the recordings' tags come from other classifiers than there are now."""
    return own_tags.stamp(own_tags.folder(store, ear)) != _applied(store, ear)["stamp"]


def retag(store: Store, ear: str) -> int:
    """Gives every recording the own tags it should have; to be called with the right to write.

    Returns:
        How many files were given other tags.
    """
    place = own_tags.folder(store, ear)
    stamp, before = own_tags.stamp(place), _applied(store, ear)
    if stamp == before["stamp"]:
        return 0
    own = own_tags.load(str(place), stamp)
    ours = {*before["names"], *own.names}
    heard = _strongest(store, ear, own)
    changed: dict[str, tuple[Tag, ...]] = {}
    for row in store.recordings(columns=["path", "id", "tags", "tag_scores"]).to_pylist():
        if row["id"] not in heard:
            continue
        pairs = zip(row["tags"] or (), row["tag_scores"] or (), strict=True)
        old = tuple(Tag(label, round(score, 4)) for label, score in pairs)
        new = own_tags.merged((tag for tag in old if tag.label not in ours), heard[row["id"]].tags())
        if new != old:
            changed[row["path"]] = new
    rows = store.rows_by("path", changed)
    for path, row in rows.items():
        row |= own_tags.columns(changed[path])
    store.upsert(pa.Table.from_pylist(list(rows.values()), schema=RECORDINGS))
    place.parent.mkdir(exist_ok=True)
    write_json(place.with_suffix(".json"), {"stamp": stamp, "names": list(own.names)})
    return len(changed)


def _strongest(store: Store, ear: str, own: OwnTags) -> dict[str, Strongest]:
    """For each recording, by content id, how surely it has each tag; from one pass over its windows."""
    found: dict[str, Strongest] = {}
    dataset = store.windows(ear)
    if dataset is None:
        return found
    for batch in dataset.to_batches(columns=["recording", "embedding"], batch_size=READ_ROWS):
        embeddings = matrix(batch["embedding"])
        ids = batch["recording"].to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
        for start, some in zip(starts, np.split(embeddings, starts[1:]), strict=True):
            found.setdefault(ids[start], Strongest(own)).add(some)
    return found


def _applied(store: Store, ear: str) -> dict[str, Any]:
    file = own_tags.folder(store, ear).with_suffix(".json")
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"stamp": "", "names": []}
