"""HEAR on tiny tasks in the benchmark's own layout, where the right answer can be heard."""

import json

import numpy as np
import pytest
import soundfile

from auricle.errors import AuricleError

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")

from auricle.train import hear  # noqa: E402 (it needs torch)

RATE = 16_000
TONES = {"low": 200.0, "high": 3000.0}


def write(folder, splits: dict[str, dict], sounds, **about) -> None:
    """A task: its metadata, vocabulary, truths, and the sounds that ``sounds(file)`` gives."""
    folder.mkdir(parents=True)
    about |= {"task_name": folder.name, "splits": list(splits)}
    (folder / "task_metadata.json").write_text(json.dumps(about))
    (folder / "labelvocabulary.csv").write_text("idx,label\n1,low\n0,high\n")
    for split, truth in splits.items():
        (folder / f"{split}.json").write_text(json.dumps(truth))
        (folder / str(RATE) / split).mkdir(parents=True)
        for file in truth:
            soundfile.write(folder / str(RATE) / split / file, sounds(truth[file]), RATE)


def tone(label: str, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * TONES[label] * np.arange(round(seconds * RATE)) / RATE)


@pytest.mark.parametrize("mode", ["trainvaltest", "new_split_kfold"])
def test_a_task_of_scenes(tmp_path, mode):
    names = ["train", "valid", "test"] if mode == "trainvaltest" else ["fold00", "fold01", "fold02"]
    splits = {name: {f"{name}{i}.wav": [list(TONES)[i % 2]] for i in range(6)} for name in names}
    about = {"embedding_type": "scene", "prediction_type": "multiclass", "split_mode": mode}
    scores = ["top1_acc", "mAP", "aucroc"]
    write(tmp_path / "tones", splits, lambda labels: tone(labels[0], 0.5), evaluation=scores, **about)
    result = hear.run("fake_ear", tmp_path, epochs=30, points=2, tell=lambda line: None)["tones"]
    assert [result[score] for score in scores] == [1.0, 1.0, 1.0]
    assert result["validation"] == 1.0
    assert result["chosen"].keys() == hear.GRID.keys()


def test_a_task_of_events(tmp_path):
    def clip(index: int) -> list[dict]:
        return [
            {"label": "low", "start": 1000.0, "end": 3000.0 + 100 * index},
            {"label": "high", "start": 5000.0, "end": 6500.0},
        ]

    def sound(events: list[dict]) -> np.ndarray:
        wave = np.zeros(8 * RATE)
        for event in events:
            first, last = (round(event[side] / 1000 * RATE) for side in ("start", "end"))
            wave[first:last] = tone(event["label"], (last - first) / RATE)
        return wave

    splits = {name: {f"{name}{i}.wav": clip(i) for i in range(2)} for name in ("train", "valid", "test")}
    scores = ["event_onset_200ms_fms", "segment_1s_er"]
    about = {"embedding_type": "event", "prediction_type": "multilabel", "split_mode": "trainvaltest"}
    write(tmp_path / "beeps", splits, sound, evaluation=scores, **about)
    result = hear.run("fake_ear", tmp_path / "beeps", epochs=60, points=1, tell=lambda line: None)["beeps"]
    assert result["event_onset_200ms_fms"] > 0.5  # the ear's windows of a second blur the onsets
    assert result["segment_1s_er"] < 0.7  # saying nothing is 1.0


def test_events_are_filtered_runs():
    scores = np.array([[0.9], [0.9], [0.1], [0.9], [0.9], [0.2], [0.2], [0.2], [0.9], [0.1]])
    times = np.arange(10) * 50.0
    split = hear.Split(torch.zeros(10, 1), torch.zeros(10, 1), ["a"] * 10, times, [])
    plain = [(e.start, e.end) for e in hear._events(scores, split, ["x"], 0.0, 0.0)]
    assert plain == [(0.0, 0.05), (0.15, 0.2), (0.4, 0.4)]
    assert [(e.start, e.end) for e in hear._events(scores, split, ["x"], 150.0, 50.0)] == [(0.0, 0.2)]


def test_what_is_no_task_is_refused(tmp_path):
    with pytest.raises(AuricleError, match="holds no task"):
        hear.run("fake_ear", tmp_path)
    (tmp_path / "task_metadata.json").write_text("{}")
    with pytest.raises(AuricleError, match="no task of HEAR"):
        hear.run("fake_ear", tmp_path)
