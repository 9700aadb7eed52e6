"""The scale-out engine: the same ``listen`` under Ray Data; workers write Lance fragments, one commit adopts them.

The folder of the library and the recordings must be reachable from every worker (a shared file system or one machine).
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from auricle.errors import AuricleError, MissingExtra
from auricle.library.listen import Listened, listen, open_ear, staged_batches
from auricle.library.store import ear_schema
from auricle.library.walk import Candidate

if TYPE_CHECKING:
    from auricle.library.ingest import Run, Task

FILES_PER_TASK = 32  # heard one after another into one fragment


def listen_with_ray(run: "Run", tasks: "Iterator[Task]") -> None:
    """Hears every task on the Ray cluster (a local one is started if none is running) and commits once.

    Raises:
        MissingExtra: Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise MissingExtra("--engine ray", "ray") from None

    items = [{"path": item.path, "size": item.size, "modified": item.modified, "id": id} for item, id in tasks]
    if not items:
        return
    started = not ray.is_initialized()
    if started:
        ray.init(num_cpus=run.workers, log_to_driver=False, include_dashboard=False, configure_logging=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        blocks = -(-len(items) // FILES_PER_TASK)
        heard = ray.data.from_items(items, override_num_blocks=max(blocks, min(len(items), run.workers))).map_batches(
            partial(
                _hear_batch,
                ear=run.ear_spec,
                own=run.own,
                staging=str(run.staging),
                uri=run.store.windows_uri(run.ear.name),
            ),
            batch_size=FILES_PER_TASK,
            batch_format="numpy",
        )
        fragments, listened = [], []
        for row in heard.iter_rows():
            fragments += row["fragments"]
            for item, result in row["files"]:
                if isinstance(result, Listened):
                    listened.append(result)
                    run.note(item, result)
                else:
                    run.refuse(item, result)
    finally:
        if started:
            ray.shutdown()
    if fragments:
        run.store.commit_fragments(run.ear.name, ear_schema(run.ear), fragments)
        run.add_recordings(listened)


def _hear_batch(batch: Any, ear: str, own: tuple[str, str], staging: str, uri: str) -> dict[str, list]:
    """Runs in a Ray task: hears some files, writes their windows as fragments, returns what became of each file."""
    import os

    import pyarrow as pa

    os.environ.setdefault("LANCE_LOG", "error")
    from lance.fragment import write_fragments

    os.makedirs(staging, exist_ok=True)
    files: list[tuple[Candidate, Any]] = []
    for path, size, modified, id in zip(batch["path"], batch["size"], batch["modified"], batch["id"], strict=True):
        item = Candidate(str(path), int(size), float(modified))
        try:
            files.append((item, listen(item.path, str(id), ear, staging, own)))
        except AuricleError as error:
            files.append((item, error))
        except Exception as error:  # whatever a decoder throws must not stop the other files
            files.append((item, AuricleError(f"{type(error).__name__}: {error}")))
    heard = [result for _, result in files if isinstance(result, Listened)]
    fragments = []
    if heard:
        schema = ear_schema(open_ear(ear))
        batches = (batch for listened in heard for batch in staged_batches(listened))
        fragments = write_fragments(pa.RecordBatchReader.from_batches(schema, batches), uri, schema=schema)
        for listened in heard:
            os.unlink(listened.staged)
    return {"fragments": [list(fragments)], "files": [files]}
