"""The library as tools for language models, over the Model Context Protocol: ``auricle mcp``.

A tool's answer is structured content that keeps to a schema, and the same as JSON text for clients that look at text
only. What cannot be done is a tool error that says what is wrong and what to do about it, which a model can act on.
Files are named by what the library knows of them and opened only below the indexed folders.
"""

import base64
import inspect
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from anyio import from_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import AudioContent, CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field, ValidationError, create_model

from auricle import __version__
from auricle.audio import read
from auricle.errors import AudioError, AuricleError, LibraryError, QueryError
from auricle.library import Library, Progress
from auricle.library import labels as library_labels
from auricle.library.search import Answer, Part, hear_example, listed
from auricle.library.store import RECORDINGS, Store, to_recording
from auricle.serve import schemas
from auricle.serve.confine import Confined, below
from auricle.types import Recording
from auricle.types import Tag as HeardTag

LONGEST_CLIP = 60.0  # seconds
LARGEST_CLIP = 12_000_000  # bytes as 16-bit samples: 60 s × 48,000 Hz × 2 channels × 2 bytes = 11.52 MB
LONGEST_EXAMPLE = 600.0  # seconds listened to of a file that is not indexed
PROBLEMS_TOLD = 20  # files that could not be heard, in the answer of index_folder

SOMEWHERE_BELOW = "Give a file below an indexed folder"

INSTRUCTIONS = """\
A library of sound recordings that were listened to once. Search them by words (describe the sound: "dog barking in the
distance") or by example; each hit is a stretch of a recording from `start` to `end` seconds. `recording` in any answer
is what other tools take as `recording`. No hits is an honest answer: `best` says how close the closest stretch came.
"""

# --- what the tools take ----------------------------------------------------------------------------------------------

Id = Annotated[schemas.RecordingId, Field(description="Id of a recording, as other tools answer it")]
SomeId = Annotated[schemas.RecordingId | None, Field(description="Id of a recording; give this or `path`")]
Path = Annotated[str | None, Field(max_length=4096, description="Full path of a sound file below an indexed folder")]
Start = Annotated[schemas.Seconds, Field(description="Seconds from the start of the recording")]
End = Annotated[schemas.Seconds, Field(description="Seconds from the start of the recording")]
OpenEnd = Annotated[schemas.Seconds | None, Field(description="Seconds; the end of the recording if left out")]
Limit = Annotated[int, Field(ge=1, le=100, description="Most results")]
MinScore = Annotated[schemas.Score | None, Field(description="Lowest score; default: what is probably a hit")]
Where = Annotated[
    str | None,
    Field(
        max_length=schemas.LONGEST_SQL,
        description=f"SQL condition on the recordings' columns {', '.join(RECORDINGS.names)}; "
        "for instance: duration > 60 AND array_has(tags, 'Dog')",
    ),
]

# --- what they answer -------------------------------------------------------------------------------------------------


class Hit(BaseModel):
    """A stretch of a recording; times in seconds, scores in [0, 1]."""

    recording: str
    path: str
    start: float
    end: float
    score: float
    duration: float = Field(description="Of the whole recording, seconds")
    tags: list[schemas.Tag] = Field(description="What was heard in the stretch")


class Hits(BaseModel):
    hits: list[Hit] = Field(description="Best first")
    best: float = Field(description="Score of the closest stretch of all, also when it is below the lowest score")


class Match(BaseModel):
    """A stretch of a recording that a sound holds; times in seconds."""

    recording: str
    path: str
    start: float
    end: float
    offset: float = Field(description="Where in the sound the stretch begins")
    speed: float = Field(description="How many times as fast the sound plays it")
    pitch: float = Field(description="How many semitones higher")
    score: float = Field(description="How much of the sound is alike, and how much alike, 0 to 1")


class Matches(BaseModel):
    matches: list[Match] = Field(description="Best first; none when the sound is from no recording here")


class KnownRecording(BaseModel):
    """One recording; durations in seconds, rates in Hz."""

    recording: str
    path: str
    duration: float
    sample_rate: int
    channels: int
    format: str
    recorded: datetime | None = Field(description="When it was recorded, UTC, if the file says so")
    title: str
    artist: str
    latitude: float | None
    longitude: float | None
    tags: list[schemas.Tag] = Field(description="What the whole recording sounds like, most certain first")


class Description(KnownRecording):
    paths: list[str] = Field(description="All copies of the file")
    events: list[schemas.MachineEvent] = Field(description="What was heard when, by start")
    events_total: int = Field(description="If more than `events` holds, those are the most certain ones")
    labels: list[schemas.Label] = Field(description="What people say is heard when, by start")


class Recordings(BaseModel):
    recordings: list[KnownRecording] = Field(description="By path")
    total: int = Field(description="How many pass the filter")


class Tags(BaseModel):
    tags: list[schemas.TagCount] = Field(description="Most frequent first")
    files: int = Field(description="How many files the library has")


class Clip(BaseModel):
    """What the audio content beside this is."""

    recording: str
    path: str
    start: float
    end: float
    sample_rate: int
    channels: int
    mime_type: str


class Indexed(BaseModel):
    total: int = Field(description="Sound files found")
    heard: int = Field(description="Listened to now, because new or changed")
    unchanged: int
    moved: int
    copies: int = Field(description="New names for content that was heard before")
    seconds: float = Field(description="Of sound heard")
    quarantined: int = Field(description="Files that cannot be heard")
    problems: dict[str, str] = Field(description=f"Why, for the first {PROBLEMS_TOLD} of them, by path")


# --- the tools --------------------------------------------------------------------------------------------------------


class Tools:
    """What a model may do with one library. A method is a tool, its docstring and annotations are what models read.

    All of them raise AuricleError for what cannot be done.
    """

    def __init__(self, library: Library):
        self.library = library
        self.labels = library_labels.Labels(library.store)

    def search_text(
        self,
        query: Annotated[schemas.Text, Field(description="The sound in words: 'steady rain on a roof'")],
        limit: Limit = 10,
        where: Where = None,
        min_score: MinScore = None,
    ) -> Hits:
        """Find stretches of sound that fit a description in words."""
        return _hits(self.library.answer(query, limit=limit, where=where, min_score=min_score))

    def search_like(
        self,
        recording: SomeId = None,
        path: Path = None,
        start: Start = 0.0,
        end: OpenEnd = None,
        limit: Limit = 10,
        where: Where = None,
        min_score: MinScore = None,
    ) -> Hits:
        """Find stretches of sound that sound like a recording, or like a part of it. Its own stretches are hits too."""
        example = self._example(recording, path, start, end)
        return _hits(self.library.searcher.search([example], limit=limit, where=where, min_score=min_score))

    def identify(
        self,
        recording: SomeId = None,
        path: Path = None,
        start: Start = 0.0,
        end: OpenEnd = None,
        limit: Limit = 10,
    ) -> Matches:
        """Tell which recordings a sound is from, and where in them, even in noise or played faster or higher."""
        identifier = self.library.identifier
        rows = self._rows(recording, path)
        if not rows and path is None:
            raise _unknown(recording, path)
        end = min(start + LONGEST_EXAMPLE, float("inf") if end is None else end)
        with self._opened([row["path"] for row in rows] or [listed(path or "")], SOMEWHERE_BELOW) as file:
            sound, _ = read(file.path, identifier.ear.sample_rate, start=start, end=end)
        found = identifier.hear(sound, limit=limit)
        known = self._store.rows_by("path", {match.path for match in found})
        return Matches(matches=[Match(recording=known[match.path]["id"], **asdict(match)) for match in found])

    def describe_recording(
        self,
        recording: SomeId = None,
        path: Path = None,
        limit: Annotated[int, Field(ge=1, le=1000, description="Most events")] = 100,
    ) -> Description:
        """Tell what is known of a recording: facts, tags, what was heard when, and what people labelled."""
        copies = self._copies(recording, path)
        first = copies[0]
        found = self.library.events(where=f"id = '{first.id}'") if self.library.listener.classes else []
        own = [event for event in found if event.path == first.path]  # the copies hold the same
        surest = sorted(own, key=lambda event: -event.score)[:limit]
        return Description(
            **_facts(first),
            paths=[copy.path for copy in copies],
            events=[
                schemas.MachineEvent(start=e.start, end=e.end, label=e.label, score=round(e.score, 4))
                for e in sorted(surest, key=lambda event: event.start)
            ],
            events_total=len(own),
            labels=[_label(label) for label in self.labels(first.id)],
        )

    def get_clip(
        self, recording: Id, start: Start, end: End, format: Literal["wav", "flac"] = "wav"
    ) -> Annotated[CallToolResult, Clip]:
        """Get up to 60 seconds of a recording as audio, mono or stereo at its own sample rate, 16 bit."""
        copies = self._copies(recording, None)
        known = copies[0]
        end = self._within(known, start, end)
        channels = known.channels if known.channels <= 2 else 1
        longest = min(LONGEST_CLIP, LARGEST_CLIP / (known.sample_rate * channels * 2))
        if end - start > longest:
            raise QueryError(
                f"A clip of this recording lasts at most {longest:.3g} s", "Ask for less, or for several in turn"
            )
        remedy = "Put the file back, or forget it with auricle prune"
        with self._opened((copy.path for copy in copies), remedy) as file:
            sound, rate = read(file.path, mono=channels == 1, start=start, end=end)
        import soundfile

        encoded = io.BytesIO()
        soundfile.write(encoded, sound, rate, format=format, subtype="PCM_16")
        clip = Clip(
            recording=recording,
            path=known.path,
            start=start,
            end=round(start + len(sound) / rate, 6),
            sample_rate=rate,
            channels=channels,
            mime_type=f"audio/{format}",
        )
        data = base64.b64encode(encoded.getvalue()).decode()
        return CallToolResult(
            content=[
                AudioContent(type="audio", data=data, mime_type=clip.mime_type),
                TextContent(type="text", text=clip.model_dump_json()),
            ],
            structured_content=clip.model_dump(mode="json"),
        )

    def list_tags(self) -> Tags:
        """List what the recordings sound like: every tag, and how many files have it."""
        column = self._store.recordings(columns=["tags"])["tags"]
        counts = Counter(column.combine_chunks().flatten().to_pylist())
        tags = [schemas.TagCount(label=label, files=files) for label, files in counts.most_common()]
        return Tags(tags=tags, files=len(column))

    def list_recordings(
        self,
        where: Where = None,
        limit: Limit = 20,
        offset: Annotated[int, Field(ge=0, description="How many to pass over")] = 0,
    ) -> Recordings:
        """List indexed recordings by path, those that pass a filter or all."""
        paths = sorted(self._store.recordings(where, columns=["path"])["path"].to_pylist())
        page = paths[offset : offset + limit]
        rows = self._store.rows_by("path", page)
        known = [KnownRecording(**_facts(to_recording(rows[path]))) for path in page if path in rows]
        return Recordings(recordings=known, total=len(paths))

    # --- those that write --------------------------------------------------------------------------------------------

    def add_label(
        self,
        recording: Id,
        start: Start,
        end: End,
        label: Annotated[schemas.LabelText, Field(description="What is heard there, in a few words")],
    ) -> schemas.Label:
        """Label a stretch of a recording. It stands beside what was heard by machine, and a person can undo it."""
        self._within(self._copies(recording, None)[0], start, end)
        return _label(self.labels.add(recording, start, end, label))

    def index_folder(
        self,
        path: Annotated[str, Field(max_length=4096, description="Full path of an indexed folder, or of one inside it")],
        context: Context,
    ) -> Indexed:
        """Listen to the new and changed sound files in a folder. May take minutes; what was heard before is kept."""
        folder = listed(path)
        roots = self._store.roots
        if not any(below(folder, root) and below(os.path.realpath(folder), os.path.realpath(root)) for root in roots):
            raise LibraryError(
                f"{path} lies outside the indexed folders", f"Only these can be indexed here: {_lines(roots)}"
            )

        def tell(now: Progress) -> None:
            from_thread.check_cancelled()  # raises, and ends the run as Ctrl-C would end the process
            from_thread.run(context.report_progress, now.bytes, now.bytes_total or None, now.current or None)

        report = self.library.index(folder, wait=False, progress=tell)
        facts = {name: getattr(report, name) for name in Indexed.model_fields if name != "problems"}
        return Indexed(**facts, problems=dict([*report.problems.items()][:PROBLEMS_TOLD]))

    # --- finding and opening recordings ------------------------------------------------------------------------------

    @property
    def _store(self) -> Store:
        if not self.library.store.exists:
            raise LibraryError(f"There is no library at {self.library.path}", "Make one: auricle index FOLDER")
        return self.library.store

    def _copies(self, recording: str | None, path: str | None) -> list[Recording]:
        """All files of one recording, by path."""
        rows = self._rows(recording, path)
        if not rows:
            raise _unknown(recording, path)
        return self.library.recordings(f"id = '{rows[0]['id']}'")

    def _rows(self, recording: str | None, path: str | None) -> list[dict[str, Any]]:
        """What the library knows of a recording, named one way or the other: one row, or none."""
        if path is not None and recording is None:
            return [*self._store.rows_by("path", [listed(path)]).values()]
        if recording is not None and path is None:
            return [*self._store.rows_by("id", [recording]).values()]
        raise QueryError("It takes one recording", "Give either recording or path")

    def _within(self, recording: Recording, start: float, end: float) -> float:
        """The end of a stretch of a recording, cut to where that ends."""
        last = min(end, recording.duration)
        if start >= last:
            raise QueryError(
                f"There is no sound from {start:g} s to {end:g} s",
                f"The end must follow the start, and the recording is {recording.duration:g} s long",
            )
        return last

    def _example(self, recording: str | None, path: str | None, start: float, end: float | None) -> Part:
        """A sound to search with: as it was indexed, or else heard now."""
        rows = self._rows(recording, path)
        if rows:
            known = to_recording(rows[0])
            end = self._within(known, start, known.duration if end is None else end)
            vector = self.library.searcher.vector_of(known.id, start, end)
            if vector is not None:
                return Part(vector=vector)
            path = known.path
        if path is None:
            raise _unknown(recording, path)
        end = min(start + LONGEST_EXAMPLE, float("inf") if end is None else end)
        with self._opened([listed(path)], SOMEWHERE_BELOW) as file:
            return Part(vector=hear_example(self.library.listener, file.path, start, end))

    def _opened(self, paths: Iterable[str], remedy: str) -> Confined:
        """The first of some files that is there and lies below an indexed folder."""
        refused: AudioError | None = None
        for path in paths:
            try:
                return Confined(path, self._store.roots)
            except AudioError as error:
                refused = AudioError(path, error.problem, remedy)
        assert refused
        raise refused


# --- the server -------------------------------------------------------------------------------------------------------

READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
RENEWS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def create_server(library: Library, *, write: bool = False) -> MCPServer:
    """Makes the server; its ``run()`` serves standard input and output until the input ends.

    Args:
        library: need not exist yet; the tools say so until it does.
        write: whether models may also add labels and index folders again.
    """
    tools = Tools(library)
    served = {
        tools.search_text: READS,
        tools.search_like: READS,
        tools.identify: READS,
        tools.describe_recording: READS,
        tools.get_clip: READS,
        tools.list_tags: READS,
        tools.list_recordings: READS,
    }
    if write:
        served |= {tools.add_label: ADDS, tools.index_folder: RENEWS}
    return MCPServer(
        "auricle",
        title="auricle",
        version=__version__,
        instructions=INSTRUCTIONS,
        tools=[_Tool.of(method, annotations) for method, annotations in served.items()],
    )


class _Tool(Tool):
    """A tool that takes no arguments but those of its schema, and tells errors as auricle does everywhere."""

    @classmethod
    def of(cls, method: Callable[..., Any], annotations: ToolAnnotations) -> Tool:
        """A method, as bound to its object, with its docstring as the description."""
        tool = cls.from_function(method, description=inspect.getdoc(method), annotations=annotations)
        lenient = tool.fn_metadata.arg_model
        strict = create_model(lenient.__name__, __base__=lenient, __cls_kwargs__={"extra": "forbid"})
        tool.fn_metadata.arg_model, tool.parameters = strict, strict.model_json_schema()
        return tool

    async def run(self, arguments: dict[str, Any], context: Context, convert_result: bool = False) -> Any:
        try:
            return await super().run(arguments, context, convert_result)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, AuricleError):
                raise ToolError(str(cause)) from cause
            if isinstance(cause, ValidationError) and not isinstance(error, UnexpectedToolError):
                wrong = cause.errors()[0]
                name = ".".join(map(str, wrong["loc"]))
                problem = QueryError(f"The argument {name} is wrong: {wrong['msg']}", "See the tool's input schema")
                raise ToolError(str(problem)) from cause
            raise


def _hits(answer: Answer) -> Hits:
    names = [name for name in Hit.model_fields if name != "tags"]
    hits = [Hit(**{name: getattr(hit, name) for name in names}, tags=_tags(hit.tags)) for hit in answer.hits]
    return Hits(hits=hits, best=round(answer.best, 4))


def _facts(recording: Recording) -> dict[str, Any]:
    """The fields of ``KnownRecording``."""
    names = [name for name in KnownRecording.model_fields if name not in ("recording", "tags")]
    facts = {name: getattr(recording, name) for name in names}
    return facts | {"recording": recording.id, "tags": _tags(recording.tags)}


def _tags(heard: Iterable[HeardTag]) -> list[schemas.Tag]:
    return [schemas.Tag(label=tag.label, score=round(tag.score, 4)) for tag in heard]


def _label(label: library_labels.Label) -> schemas.Label:
    return schemas.Label(**{name: getattr(label, name) for name in schemas.Label.model_fields})


def _unknown(recording: str | None, path: str | None) -> LibraryError:
    if path is not None:
        return LibraryError(f"{path} is not indexed", "Give the path of a recording as list_recordings tells it")
    return LibraryError(f"No recording {recording} is in the library", "Search again, or use list_recordings")


def _lines(paths: Iterable[os.PathLike[str]]) -> str:
    return ", ".join(map(os.fspath, paths))
