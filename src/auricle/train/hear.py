"""The HEAR 2021 benchmark on local task folders: an ear is frozen, a small predictor is trained on what it hears.

Turian et al., "HEAR: Holistic Evaluation of Audio Representations", arXiv 2203.03022. A task is a folder as the
benchmark's own preparation writes it: ``task_metadata.json``, ``labelvocabulary.csv``, ``SPLIT.json`` for every split,
and the sounds in ``RATE/SPLIT/``, of which those nearest above the ear's sample rate are taken.

    sound -> ear, frozen -> embedding of the scene, or one every 50 ms -> 1 or 2 hidden layers of 1024 -> labels

The predictor, its grid and its training are the official ones (``GRID``): of the 16 combinations 8 are tried, drawn by
a fixed seed; the best on the validation split is tested. Tasks in folds choose on the first fold and then train anew
for each; their test score is the mean. Deviation: rows are shuffled anew for every epoch, not once for all.
"""

import csv
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auricle.audio import read
from auricle.errors import AuricleError
from auricle.hub.ear import open_ear
from auricle.hub.hear import scene, timestamps
from auricle.metrics import classification, detection
from auricle.types import Ear, Event

GRID = {
    "layers": (1, 2),
    "lr": (3.2e-3, 1e-3, 3.2e-4, 1e-4),
    "initialise": (nn.init.xavier_uniform_, nn.init.xavier_normal_),
}
POINTS = 8  # of the grid that are tried
HIDDEN, DROPOUT, BATCH = 1024, 0.1, 1024
EPOCHS, EVERY, PATIENCE = 500, 3, 20  # at most; between validations; validations without a better one
EVERY_OF_TASK = {"dcase2016_task2": 10}
MEDIAN, SHORTEST = (250.0,), (125.0, 250.0)  # ms: filters of event scores, and events that are kept
SEED = 42

Tell = Callable[[str], None]
Score = Callable[[NDArray, NDArray], float]

SCENE_SCORES: dict[str, Score] = {
    "top1_acc": lambda said, truth: classification.accuracy(said, truth.argmax(axis=1)),
    "pitch_acc": lambda said, truth: classification.accuracy(said, truth.argmax(axis=1)),
    "chroma_acc": lambda said, truth: float(np.mean(said.argmax(axis=1) % 12 == truth.argmax(axis=1) % 12)),
    "mAP": classification.mean_average_precision,
    "aucroc": lambda said, truth: float(np.nanmean(classification.roc_auc(said, truth))),
    "d_prime": lambda said, truth: float(np.nanmean(classification.d_prime(classification.roc_auc(said, truth)))),
}


def _onsets(collar: float, **options: Any) -> Callable[[list[Event], list[Event]], float]:
    return lambda truth, said: detection.add(detection.event_counts(truth, said, collar=collar, **options).values()).f1


EVENT_SCORES: dict[str, Callable[[list[Event], list[Event]], float]] = {
    "event_onset_200ms_fms": _onsets(0.2, offsets=False),
    "event_onset_50ms_fms": _onsets(0.05, offsets=False),
    "event_onset_offset_50ms_20perc_fms": _onsets(0.05, offset_share=0.2),
    "segment_1s_er": detection.segment_error_rate,
}
LOWER_IS_BETTER = {"segment_1s_er"}


@dataclass
class Split:
    """What an ear made of one split; a row is a sound, or with events one timestamp of a sound."""

    x: Tensor  # [rows, dim]
    y: Tensor  # [rows, labels], 0 or 1
    clips: list[str]  # of each row
    times: NDArray[np.float64]  # of each row, ms
    events: list[Event]  # that there were, for tasks with events


def run(name: str, tasks_dir: str | Path, *, epochs: int = EPOCHS, points: int = POINTS, tell: Tell = print) -> dict:
    """Evaluates an ear on every task in a folder.

    Args:
        name: what ``auricle index --ear`` takes.
        tasks_dir: a folder of tasks, or one task.
        epochs: at most so many; fewer is no official score.
        points: of the grid; fewer is no official score.
        tell: is given a line for each task.

    Returns:
        For each task its test scores by name, the first of them the task's own, with the ``validation`` score that
        chose the predictor and the predictor that was chosen.

    Raises:
        AuricleError: there is no task, or a task is not as it should be.
    """
    root = Path(tasks_dir).expanduser()
    folders = [file.parent for file in sorted([*root.glob("task_metadata.json"), *root.glob("*/task_metadata.json")])]
    if not folders:
        raise AuricleError(f"{root} holds no task", "A task is a folder with task_metadata.json, as HEAR prepares it")
    ear, results = open_ear(name), {}
    for folder in folders:
        results[folder.name] = _Task(folder).evaluate(ear, epochs, points)
        tell(f"{folder.name}: " + ", ".join(f"{k} {v:.4g}" for k, v in results[folder.name].items() if k != "chosen"))
    return results


class _Task:
    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self.about = json.loads((folder / "task_metadata.json").read_text(encoding="utf-8"))
            with open(folder / "labelvocabulary.csv", newline="", encoding="utf-8") as file:
                rows = sorted(csv.DictReader(file), key=lambda row: int(row["idx"]))
            self.labels = {row["label"]: index for index, row in enumerate(rows)}
            self.in_time = self.about["embedding_type"] == "event"
            self.single = self.about["prediction_type"] == "multiclass"
            self.scores: Sequence[str] = self.about["evaluation"]
            self.folds = self.about["split_mode"] != "trainvaltest"
            known = EVENT_SCORES if self.in_time else SCENE_SCORES
            if unknown := set(self.scores) - known.keys():
                raise KeyError(f"score {min(unknown)}")
        except (OSError, ValueError, KeyError) as error:
            raise AuricleError(f"{folder} is no task of HEAR: {error}", "Prepare it with hear-preprocess") from error
        self.sign = -1.0 if self.scores[0] in LOWER_IS_BETTER else 1.0

    def evaluate(self, ear: Ear, epochs: int, points: int) -> dict[str, Any]:
        names = sorted(self.about["splits"]) if self.folds else ["train", "valid", "test"]
        heard = {name: self.hear(ear, name) for name in names}
        rounds = []  # of (train, valid, test)
        for index, name in enumerate(names if self.folds else ["test"]):
            valid = names[(index + 1) % len(names)] if self.folds else "valid"
            rounds.append(([split for split in names if split not in (name, valid)], valid, name))
        grid = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
        random.Random(SEED).shuffle(grid)
        tried = [(self.train(heard, rounds[0], point, epochs), point) for point in grid[:points]]
        best, point = max(tried, key=lambda pair: pair[0].score)
        trained = [best, *(self.train(heard, other, point, epochs) for other in rounds[1:])]
        tests = [self.measure(one, heard[test]) for one, (_, _, test) in zip(trained, rounds, strict=True)]
        result: dict[str, Any] = {score: float(np.mean([test[score] for test in tests])) for score in self.scores}
        chosen = {key: getattr(value, "__name__", value) for key, value in point.items()}
        return result | {"validation": self.sign * best.score, "chosen": chosen}

    def hear(self, ear: Ear, split: str) -> Split:
        """Embeds a split."""
        truth = json.loads((self.folder / f"{split}.json").read_text(encoding="utf-8"))
        sounds = self._sounds(ear.sample_rate) / split
        x, y, clips, times, events = [], [], [], [], []
        for file, said in truth.items():
            wave, _ = read(sounds / file, sample_rate=ear.sample_rate, mono=True)
            if self.in_time:
                embedding, moments = timestamps(ear, wave)
                events += [Event(file, e["start"] / 1000, e["end"] / 1000, str(e["label"])) for e in said]
                active = [[e["label"] for e in said if e["start"] <= t <= e["end"]] for t in moments]
            else:
                embedding, moments, active = scene(ear, wave)[None], np.zeros(1), [said]
            x.append(embedding)
            y += [self._row(labels) for labels in active]
            clips += [file] * len(moments)
            times.append(moments)
        rows = torch.from_numpy(np.concatenate(x)), torch.from_numpy(np.array(y, np.float32))
        return Split(*rows, clips, np.concatenate(times).astype(np.float64), events)

    def train(self, heard: Mapping[str, Split], splits: tuple, point: Mapping[str, Any], epochs: int) -> "_Predictor":
        """Trains one predictor and keeps it as it was when it did best on the validation split."""
        torch.manual_seed(SEED)
        x, y = (torch.cat([getattr(heard[name], part) for name in splits[0]]) for part in ("x", "y"))
        network = _network(x.shape[1], len(self.labels), point["layers"], point["initialise"])
        predictor = _Predictor(network, -np.inf)
        optimiser = torch.optim.Adam(network.parameters(), point["lr"])
        kept, waited = None, 0
        every = EVERY_OF_TASK.get(self.about.get("task_name", ""), EVERY)
        for epoch in range(1, epochs + 1):
            network.train()
            for rows in torch.randperm(len(x)).split(BATCH):
                if len(rows) < 2:
                    continue  # one row has no batch statistics
                logits, target = network(x[rows]), y[rows]
                loss = (
                    nn.functional.cross_entropy(logits, target.argmax(dim=1))
                    if self.single
                    else nn.functional.binary_cross_entropy_with_logits(logits, target)
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if epoch % every and epoch < epochs:
                continue
            score, filtering = self.validate(network, heard[splits[1]])
            waited += 1
            if kept is None or score > predictor.score:
                kept, waited = {key: value.clone() for key, value in network.state_dict().items()}, 0
                predictor.score, predictor.filtering = score, filtering
            if waited >= PATIENCE:
                break
        assert kept is not None
        network.load_state_dict(kept)
        return predictor

    def validate(self, network: nn.Module, split: Split) -> tuple[float, tuple[float, float]]:
        """The task's first score, higher is better, and the filtering of events that gives it."""
        options = list(itertools.product(MEDIAN, SHORTEST)) if self.in_time else [(0.0, 0.0)]
        scored = []
        for filtering in options:
            score = self.measure(_Predictor(network, 0.0, filtering), split)[self.scores[0]]
            scored.append((-np.inf if np.isnan(score) else self.sign * score, filtering))
        return max(scored)

    def measure(self, predictor: "_Predictor", split: Split) -> dict[str, float]:
        """All scores of a predictor on a split."""
        with torch.inference_mode():
            logits = predictor.network.eval()(split.x)
        probability = (logits.softmax(dim=1) if self.single else logits.sigmoid()).numpy()
        if self.in_time:
            said = list(_events(probability, split, list(self.labels), *predictor.filtering))
            return {name: EVENT_SCORES[name](split.events, said) for name in self.scores}
        return {name: SCENE_SCORES[name](probability, split.y.numpy().astype(int)) for name in self.scores}

    def _sounds(self, sample_rate: int) -> Path:
        """The folder of the sounds whose rate is the ear's, else the next above, else the highest."""
        rates = sorted(int(place.name) for place in self.folder.iterdir() if place.name.isdigit())
        if not rates:
            raise AuricleError(f"{self.folder} holds no sounds", "They lie in folders named after their sample rate")
        return self.folder / str(next((rate for rate in rates if rate >= sample_rate), rates[-1]))

    def _row(self, labels: Sequence[Any]) -> NDArray[np.float32]:
        row = np.zeros(len(self.labels), np.float32)
        row[[self.labels[str(label)] for label in labels]] = 1.0
        return row


@dataclass
class _Predictor:
    network: nn.Module
    score: float  # on the validation split, higher is better
    filtering: tuple[float, float] = (0.0, 0.0)  # ms: median filter, shortest event


def _network(inputs: int, labels: int, layers: int, initialise: Callable[..., Any]) -> nn.Sequential:
    """The official predictor: hidden layers of linear, batch norm, dropout, ReLU, and a linear one for the labels."""
    parts: list[nn.Module] = []
    gain = nn.init.calculate_gain("linear")
    for _ in range(layers):
        linear = nn.Linear(inputs, HIDDEN)
        initialise(linear.weight, gain=gain)
        parts += [linear, nn.BatchNorm1d(HIDDEN), nn.Dropout(DROPOUT), nn.ReLU()]
        inputs, gain = HIDDEN, nn.init.calculate_gain("relu")
    last = nn.Linear(inputs, labels)
    initialise(last.weight, gain=gain)
    return nn.Sequential(*parts, last)


def _events(probability: NDArray, split: Split, labels: list[str], median: float, shortest: float):
    """Runs of probabilities above 0.5, filtered over time, as events of at least ``shortest`` ms."""
    from scipy.ndimage import median_filter

    clips = np.array(split.clips)
    for clip in dict.fromkeys(split.clips):
        rows = clips == clip
        times, scores = split.times[rows], probability[rows]
        width = round(median / np.diff(times).mean()) if len(times) > 1 else 0
        if width:
            scores = median_filter(scores, size=(width, 1))
        edges = np.diff(np.pad((scores > 0.5).astype(np.int8), ((1, 1), (0, 0))), axis=0)
        for column, label in enumerate(labels):
            firsts, lasts = np.flatnonzero(edges[:, column] == 1), np.flatnonzero(edges[:, column] == -1) - 1
            for first, last in zip(firsts, lasts, strict=True):
                if times[last] - times[first] >= shortest:
                    yield Event(clip, times[first] / 1000, times[last] / 1000, label)
