"""What goes over the wire: bodies of requests and answers. Times in seconds, frequencies in Hz, scores in [0, 1]."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from auricle.library.labels import LONGEST_LABEL, Verdict

LONGEST_TEXT = 500  # characters of a query in words
LONGEST_SQL = 10_000
MOST_PARTS = 16  # of a query, each kind
DEEPEST = 1_000  # hits that can be paged through
MOST_ITEMS = 2_000  # stretches added to a collection at once

Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hertz = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
RecordingId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
LabelText = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)]


class Asked(BaseModel):
    """Body of a request: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    problem: str
    remedy: str


class ErrorBody(BaseModel):
    """Every answer that is not 2xx or 3xx."""

    error: Problem


class Tag(BaseModel):
    label: str
    score: float


# --- libraries and recordings -----------------------------------------------------------------------------------------


class LibraryStats(BaseModel):
    library: str
    files: int
    recordings: int
    seconds: float
    ears: dict[str, int]
    quarantined: int
    bytes: int
    roots: list[str]
    tags: dict[str, int]
    formats: dict[str, int]


class LibrarySummary(LibraryStats):
    name: str
    path: str
    exists: bool  # False until something has been indexed
    ear: str = Field(description="The one that answers; empty until something has been indexed")
    writable: bool = Field(description="Whether new folders can be indexed through this server")
    job: str | None = Field(description="The indexing run under way")


class Recording(BaseModel):
    id: str
    path: str = Field(description="Relative to the folder that was indexed; with its name where several were")
    name: str
    folder: str
    duration: float
    sample_rate: int
    channels: int
    format: str
    recorded: datetime | None
    title: str
    artist: str
    latitude: float | None
    longitude: float | None
    tags: list[Tag]


class RecordingDetail(Recording):
    paths: list[str] = Field(description="All copies")
    available: bool = Field(description="Whether the file is still there")
    comment: str
    device: str


class RecordingPage(BaseModel):
    items: list[Recording]
    total: int
    limit: int
    offset: int


class Refused(BaseModel):
    path: str
    reason: str


class RefusedPage(BaseModel):
    """Files that could not be heard."""

    items: list[Refused]
    total: int
    limit: int
    offset: int


class TagCount(BaseModel):
    label: str
    files: int


class FolderCount(BaseModel):
    path: str
    files: int


class FormatCount(BaseModel):
    format: str
    files: int


class DurationRange(BaseModel):
    min: float | None
    max: float | None


class DateRange(BaseModel):
    min: datetime | None
    max: datetime | None


class Facets(BaseModel):
    """What recordings can be filtered by."""

    tags: list[TagCount]
    folders: list[FolderCount]
    formats: list[FormatCount]
    duration: DurationRange
    recorded: DateRange


# --- searching --------------------------------------------------------------------------------------------------------


class Words(Asked):
    text: Text
    weight: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0


class Example(Asked):
    """A stretch of a recording of the library, or of an upload."""

    recording: RecordingId | None = None
    upload: Annotated[str, Field(max_length=64)] | None = None
    start: Seconds = 0.0
    end: Seconds | None = None
    weight: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _one_sound(self) -> "Example":
        if (self.recording is None) == (self.upload is None):
            raise ValueError("an example is either a recording or an upload")
        if self.end is not None and self.end < self.start:
            raise ValueError("it ends before it starts")
        return self


class Filters(Asked):
    tags: list[Text] = Field(default=[], max_length=MOST_PARTS, description="The recording has all of these")
    folder: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="As /facets lists them")
    min_duration: Seconds | None = None
    max_duration: Seconds | None = None
    after: datetime | None = None
    before: datetime | None = None
    where: Annotated[str, Field(max_length=LONGEST_SQL)] | None = Field(
        default=None, description="SQL over the recordings"
    )


class SearchRequest(Asked):
    words: list[Words] = Field(default=[], max_length=MOST_PARTS)
    like: list[Example] = Field(default=[], max_length=MOST_PARTS)
    without: list[Words | Example] = Field(default=[], max_length=MOST_PARTS)
    filters: Filters = Field(default_factory=Filters)
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    offset: Annotated[int, Field(ge=0, le=DEEPEST)] = 0
    min_score: Score | None = Field(default=None, description="Default: what the ear finds probable")
    one_per_recording: bool = False


class Hit(BaseModel):
    recording: str
    path: str
    name: str
    start: float
    end: float
    score: float
    duration: float = Field(description="Of the whole recording")
    tags: list[Tag] = Field(description="What was heard there")


class SearchAnswer(BaseModel):
    hits: list[Hit]
    more: bool = Field(description="Whether a larger offset brings more")
    windows: int
    served_by: Literal["exact", "sketch"]
    best: float = Field(description="Score of the best window, also when it is below the threshold")
    took: float


class Match(BaseModel):
    """A stretch of a recording that a clip holds; its moment ``t`` is ``start + (t - offset) * speed`` there."""

    recording: str
    path: str
    name: str
    start: float
    end: float
    offset: float = Field(description="Seconds into the clip at which the stretch begins")
    speed: float = Field(description="How many times as fast the clip plays it")
    pitch: float = Field(description="How many semitones higher")
    score: float


class Matches(BaseModel):
    items: list[Match] = Field(description="Best first; none when the clip is from no recording here")


class Version(BaseModel):
    recording: str
    path: str
    name: str
    score: float


class Versions(BaseModel):
    """Other performances of the same work, best first."""

    items: list[Version]


class Turn(BaseModel):
    speaker: str = Field(description="The same name in all recordings of the library; speaker 1 speaks most")
    start: float
    end: float
    score: float


class Turns(BaseModel):
    """Who speaks when in one recording, by time."""

    items: list[Turn]


class Upload(BaseModel):
    upload: str
    duration: float
    expires: datetime


# --- one recording ----------------------------------------------------------------------------------------------------


class Peaks(BaseModel):
    start: float
    end: float
    points: int
    min: list[float]
    max: list[float]


class MachineEvent(BaseModel):
    start: float
    end: float
    label: str
    score: float


class Label(BaseModel):
    id: str
    recording: str
    start: float
    end: float
    low: float | None
    high: float | None
    label: str
    verdict: Verdict
    event: dict[str, Any] | None = Field(description="The machine event it answers")
    version: int
    created: datetime | None


class EventAnswered(Asked):
    start: Seconds
    end: Seconds
    label: LabelText
    score: Score


class NewLabel(Asked):
    start: Seconds
    end: Seconds
    label: LabelText
    verdict: Verdict = "drawn"
    low: Hertz | None = None
    high: Hertz | None = None
    event: EventAnswered | None = None


class LabelChange(Asked):
    start: Seconds | None = None
    end: Seconds | None = None
    label: LabelText | None = None
    verdict: Verdict | None = None
    low: Hertz | None = None
    high: Hertz | None = None


class Undone(BaseModel):
    action: str
    label: Label


# --- collections ------------------------------------------------------------------------------------------------------


class Collection(BaseModel):
    id: str
    name: str
    count: int = Field(description="Stretches in it")
    seconds: float
    created: datetime | None


class CollectionPage(BaseModel):
    items: list[Collection]
    total: int
    limit: int
    offset: int


class CollectionItem(Hit):
    id: str = Field(description="Names it within its collection")


class CollectionDetail(Collection):
    items: list[CollectionItem] = Field(description="Those whose recordings are still in the library")


class CollectionUndone(BaseModel):
    action: str
    collection: Collection | None = Field(description="As it then stands; null when its making was undone")


class CollectionName(Asked):
    name: LabelText


class Stretch(Asked):
    recording: RecordingId
    start: Seconds
    end: Seconds


class NewItems(Asked):
    items: list[Stretch] = Field(min_length=1, max_length=MOST_ITEMS)


# --- the map ----------------------------------------------------------------------------------------------------------


class MapRecording(BaseModel):
    id: str
    name: str
    folder: str
    tag: str = Field(description="The strongest one; empty without tags")
    duration: float


MapPoint = tuple[float, float, int, int, float, float]


class Map(BaseModel):
    """Stretches of sound as points: those that sound alike lie close together."""

    points: list[MapPoint] = Field(
        description="x and y in [-1, 1], ordinals of its colour and of its recording, start and end of the stretch"
    )
    recordings: list[MapRecording]
    colours: list[str] = Field(description="What each colour stands for, the most frequent first")


class MapProgress(BaseModel):
    progress: Score


# --- teaching ---------------------------------------------------------------------------------------------------------


class Lesson(Asked):
    """Examples of a tag of one's own; they add to those of earlier lessons."""

    name: LabelText
    positives: list[Stretch] = Field(default=[], max_length=MOST_ITEMS)
    negatives: list[Stretch] = Field(default=[], max_length=MOST_ITEMS)


class Taught(BaseModel):
    """A tag of one's own after all its lessons, and how well it is told apart in recordings not learnt from."""

    name: str
    positives: int
    negatives: int
    trained: datetime
    accuracy: float | None = Field(description="Mean over both kinds; null when a kind comes from a single recording")
    average_precision: float | None
    chance: float = Field(description="Average precision of guessing")


# --- indexing ---------------------------------------------------------------------------------------------------------


class IndexRequest(Asked):
    paths: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        [], max_length=64, description="Folders; none means all that were indexed before"
    )
    retry: bool = Field(default=False, description="Try files again that could not be heard before")


JobState = Literal["running", "stopping", "done", "stopped", "failed"]


class Job(BaseModel):
    job: str
    library: str
    state: JobState
    total: int
    done: int
    heard: int
    quarantined: int
    seconds: float
    speed: float
    remaining: float | None
    elapsed: float
    current: str
    error: Problem | None
