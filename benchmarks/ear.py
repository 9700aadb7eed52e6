"""The default ear, int8 and float side by side: speed on one thread, agreement, and tagging of ESC-10.

    python benchmarks/ear.py [--esc10 DIR] [--json FILE]
    python benchmarks/ear.py --calibrate DIR

Agreement is measured over synthetic windows, and over ESC-10 when it is given (a folder of clips per class), without
the windows that float calls silent. A clip's score of a class of ESC-10 is its best over the AudioSet classes in
`MEANING`, each averaged over the clip. ``--calibrate`` finds the steps of int8's activations from the recordings in a
folder, which must be none of those that anything is measured on.
"""

import os

os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}  # before NumPy is imported

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

import auricle
from auricle.audio import is_audio_name, read
from auricle.hub import fetch, session
from auricle.represent.yamnet import CARD, graph
from auricle.represent.yamnet.ear import YamnetEar
from auricle.types import Heard, Waveform, windows_in

MEANING = {
    "baby_cry": ["Baby cry, infant cry"],
    "chainsaw": ["Chainsaw"],
    "clock_tick": ["Clock", "Tick", "Tick-tock"],
    "dog_bark": ["Dog", "Bark", "Yip", "Howl", "Bow-wow", "Growling", "Whimper (dog)"],
    "fire_crackling": ["Fire", "Crackle"],
    "helicopter": ["Helicopter"],
    "person_sneeze": ["Sneeze"],
    "rain": ["Rain", "Raindrop", "Rain on surface"],
    "rooster": ["Fowl", "Chicken, rooster", "Cluck", "Crowing, cock-a-doodle-doo"],
    "sea_waves": ["Ocean", "Waves, surf"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--esc10", type=Path, metavar="DIR", help="a folder per class of ESC-10")
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help="recordings to calibrate int8 on")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there as well")
    arguments = parser.parse_args()
    if arguments.calibrate:
        calibrate(arguments.calibrate)
        return
    ears: dict[str, YamnetEar] = {tag: auricle.load(f"yamnet@{tag}") for tag in ("int8", "float")}
    rows = speed(ears)
    heard = {tag: [ear.hear(waveform) for waveform in synthetic(400, seed=0)] for tag, ear in ears.items()}
    rows |= {f"synthetic: {name}": value for name, value in agreement(heard["int8"], heard["float"]).items()}
    if arguments.esc10:
        clips = sorted(path for path in arguments.esc10.glob("*/*") if is_audio_name(path.name))
        labels = np.array([path.parent.name for path in clips])
        heard = {tag: [ear.hear(windows_of(path)) for path in clips] for tag, ear in ears.items()}
        rows |= {f"ESC-10: {name}": value for name, value in agreement(heard["int8"], heard["float"]).items()}
        told = {tag: tagging(clips, labels) for tag, clips in heard.items()}
        rows |= {f"ESC-10: {name}": {tag: told[tag][name] for tag in told} for name in ("accuracy", "mAP")}
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def speed(ears: dict[str, YamnetEar], rows: int = 64, repeats: int = 15) -> dict[str, dict[str, float]]:
    """Milliseconds a window and times real time: the best of several runs, each ear in turn."""
    ear = ears["float"]
    seconds = (ear.window + (rows - 1) * ear.hop) / ear.sample_rate
    waveform = np.random.default_rng(0).normal(0, 0.1, round(seconds * ear.sample_rate)).astype(np.float32)
    runs = {tag: ear.hear for tag, ear in ears.items()} | {"front-end": ear.front_end}
    best = dict.fromkeys(runs, np.inf)
    for _ in range(repeats):
        for tag, run in runs.items():
            start = perf_counter()
            run(waveform)
            best[tag] = min(best[tag], perf_counter() - start)
    return {
        "front-end, x real time": dict.fromkeys(ears, seconds / best["front-end"]),
        "graph, ms a window": {tag: 1e3 * (best[tag] - best["front-end"]) / rows for tag in ears},
        "front-end and graph, x real time": {tag: seconds / best[tag] for tag in ears},
    }


def agreement(found: Sequence[Heard], wanted: Sequence[Heard]) -> dict[str, dict[str, float]]:
    """How int8 follows float: over windows that are not silent, and over clips by their mean scores."""
    a, b = ([np.concatenate(part) for part in zip(*heard, strict=True)] for heard in (found, wanted))
    clips = [mean_scores(heard).argmax(axis=1) for heard in (found, wanted)]
    loud = b[1].argmax(axis=1) != auricle.load("yamnet@float").classes.index("Silence")
    close = cosine(a[0][loud], b[0][loud])
    logits = [np.log(scores / (1 - scores)) for scores in (np.clip(part[1][loud], 1e-7, 1 - 1e-7) for part in (a, b))]
    values = {
        "cosine of embeddings, mean": close.mean(),
        "cosine of embeddings, lowest 1 %": np.quantile(close, 0.01),
        "correlation of logits": np.corrcoef(logits[0].ravel(), logits[1].ravel())[0, 1],
        "same best class, windows": (a[1].argmax(axis=1) == b[1].argmax(axis=1))[loud].mean(),
        "same best class, clips": (clips[0] == clips[1]).mean(),
    }
    return {name: {"int8": float(value)} for name, value in values.items()}


def tagging(clips: Sequence[Heard], labels: np.ndarray) -> dict[str, float]:
    """Share of clips whose class has the best score, and mean average precision over the classes."""
    names = auricle.load("yamnet@float").classes
    scores = mean_scores(clips)
    told = np.stack([scores[:, [names.index(name) for name in MEANING[label]]].max(axis=1) for label in MEANING], 1)
    precisions = []
    for column, label in enumerate(MEANING):
        right = (labels == label)[np.argsort(-told[:, column], kind="stable")]
        precisions.append((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())
    return {
        "accuracy": float((np.array(list(MEANING))[told.argmax(axis=1)] == labels).mean()),
        "mAP": float(np.mean(precisions)),
    }


def calibrate(folder: Path, files: int = 700, passes: Sequence[float] = (2.0, 1.41, 1.19)) -> None:
    """Prints better steps for int8's activations: coordinate descent, layer by layer, from those in use.

    The loss is 1 - cosine of the embeddings plus a twentieth of the absolute differences of the scores, over windows
    that are not silent: one out of every recording, and synthetic ones.
    """
    rng = np.random.default_rng(0)
    paths = sorted(path for path in folder.rglob("*") if is_audio_name(path.name))
    ear: YamnetEar = auricle.load("yamnet@float")
    waveforms = synthetic(160, seed=1)
    for i in rng.permutation(len(paths))[:files]:
        waveform = windows_of(paths[i])
        start = ear.hop * rng.integers(1 + (len(waveform) - ear.window) // ear.hop)
        waveforms.append(waveform[start : start + ear.window])
    patches = np.stack([ear.front_end(waveform) for waveform in waveforms])
    network = graph.read(fetch(CARD.weights["int8"][0]))

    def hear(model) -> list[np.ndarray]:
        with TemporaryDirectory() as scratch:
            path = Path(scratch, "graph.onnx")
            path.write_bytes(model.SerializeToString())
            opened = session(path)
        parts = [opened.run(None, {"logmel": patches[i : i + 16]}) for i in range(0, len(patches), 16)]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def loss(steps: Sequence[float]) -> float:
        layers = [layer._replace(step=step) for layer, step in zip(network.layers, steps, strict=True)]
        embeddings, scores = hear(graph.int8_graph(network._replace(layers=layers)))
        apart = 1 - cosine(embeddings, wanted[0]) + 0.05 * np.abs(scores - wanted[1]).sum(axis=1)
        return float(apart[loud].mean())

    wanted = hear(graph.float_graph(network))
    loud = wanted[1].argmax(axis=1) != ear.classes.index("Silence")
    steps = [layer.step for layer in network.layers]
    best = loss(steps)
    print(f"{loud.sum()} windows, loss {best:.5f}")
    for factor in passes:
        for i in reversed(range(len(steps))):
            for scale in (1 / factor, factor):
                trial = [*steps[:i], steps[i] * scale, *steps[i + 1 :]]
                if (value := loss(trial)) < best:
                    best, steps = value, trial
        print(f"loss {best:.5f}:", ", ".join(f"{step:.3g}" for step in steps))


def synthetic(count: int, seed: int) -> list[Waveform]:
    """Single windows of coloured noise, some of it beating or humming, at any level down to -50 dB."""
    rng = np.random.default_rng(seed)
    samples, rate = YamnetEar.window, YamnetEar.sample_rate
    time, hertz = np.arange(samples) / rate, np.fft.rfftfreq(samples, 1 / rate)
    waveforms = []
    for _ in range(count):
        spectrum = np.fft.rfft(rng.normal(size=samples)) * (np.maximum(hertz, 20) / 1000) ** rng.uniform(-1.8, 0.5)
        spectrum[hertz > rng.uniform(800, 16_000)] *= 10 ** -rng.uniform(0.5, 3)
        waveform = np.fft.irfft(spectrum, samples)
        if rng.random() < 0.4:
            waveform *= 1 + np.sin(2 * np.pi * rng.uniform(3, 30) * time)
        if rng.random() < 0.4:
            waveform /= waveform.std()
            pitch, slope = rng.uniform(40, 400), rng.uniform(0.5, 1.5)
            waveform += sum(np.sin(2 * np.pi * pitch * k * time + k * k) / k**slope for k in range(1, 20))
        waveforms.append((waveform / np.abs(waveform).max() * 10 ** -rng.uniform(0, 2.5)).astype(np.float32))
    return waveforms


def windows_of(path: Path) -> Waveform:
    """A recording at the ear's rate, filled up to whole windows."""
    waveform, _ = read(path, YamnetEar.sample_rate)
    rows = windows_in(len(waveform), YamnetEar.window, YamnetEar.hop)
    return np.pad(waveform, (0, YamnetEar.window + (rows - 1) * YamnetEar.hop - len(waveform)))


def mean_scores(clips: Sequence[Heard]) -> np.ndarray:
    """Of every clip [clips, classes]."""
    return np.stack([np.asarray(heard.scores).mean(axis=0) for heard in clips])


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row of ``a`` and ``b`` [rows, dim]; of two zeros 0."""
    return (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-9)


def show(rows: dict[str, dict[str, float]]) -> None:
    table = Table("", "int8", "float")
    for name, values in rows.items():
        table.add_row(name, *(f"{values[tag]:,.4g}" if tag in values else "" for tag in ("int8", "float")))
    Console().print(table)


if __name__ == "__main__":
    main()
