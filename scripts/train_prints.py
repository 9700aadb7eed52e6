"""Trains the fingerprints that auricle ships, on the music of free games, and writes them into the package.

    python scripts/train_prints.py [--cache DIR] [--minutes N] [--out FILE]

Packages of Debian 12 are fetched by `apt-get download`, checked against their SHA-256 and kept in the cache (about
2.5 GB, most of it 0ad-data). A track gives its first minute and a half, or less, in two takes: as it was published, and
worn by a room, an amplifier that clips or a codec of low rate. Every eighth track is held out: the encoder that
identifies most of their excerpts is kept. Other sounds (speech, ambience, coloured noise) are only ever mixed in.
The time is that of training alone. The run goes on where it was stopped.
"""

import argparse
import io
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import soundfile as sf
import soxr
import torch
from mini_packages import PACKAGES, Package, Store
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from auricle.audio import read
from auricle.identify.moco_fingerprint import front_end
from auricle.identify.moco_fingerprint.model import Config, MoCo, Model
from auricle.identify.moco_fingerprint.views import (
    DENSE,
    LEVELS,
    Pairs,
    Track,
    Views,
    cut_out,
    distorted,
    drawn,
    packed,
)

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "src" / "auricle" / "identify" / "moco_fingerprint" / "prints.onnx"

PACKAGES |= {
    "asc-music": Package(
        "1.3-6", "369f2d396adb8db9003ef73b797d529e284a7764a5ff4b59a50a4c8b9294da5f",
        "usr/share/games/asc/music/", "", "GPL-2.0-or-later",
    ),
    "colobot-common-sounds": Package(
        "0.2.0-2", "819e799542eac69c95b072567b5584eb3e0b2bb900de13efa3684915747b1644",
        "usr/share/games/colobot/music/", "", "GPL-3.0-or-later",
    ),
    "fretsonfire-songs-muldjord": Package(
        "2.dfsg-2.1", "b37adf8b08b46d4182c283e760e4f40622d83674e05803960ea1e11a92600c7b",
        "usr/share/games/fretsonfire/data/songs/", "", "CC-BY-SA-3.0",
    ),
    "fretsonfire-songs-sectoid": Package(
        "1.dfsg-3.1", "14c1ed3e43c1a6a80eae7698f0469a0825cd1184e441968d62df89ca418aa0b4",
        "usr/share/games/fretsonfire/data/songs/", "", "MIT",
    ),
    "hedgewars-data": Package(
        "1.0.2-6", "722225903a72604403e6e0026e40e9a6953f47a74d94efc5f55504bc05bb4761",
        "usr/share/games/hedgewars/Data/Music/", "", "GPL-2.0-only",
    ),
    "hyperrogue-music": Package(
        "12.0q-1", "61ab9f4c2169442d85f42c42d26e80c1a18b93c741f3d44f1b9d83015904e7f7",
        "usr/share/hyperrogue/music/", "", "CC-BY-SA-3.0",
    ),
    "planetblupi-music-ogg": Package(
        "1.14.2-3", "7d89a6d00b43cdb601e35256ab1a62814d203b5922cfed6a0e73e98486e82fa6",
        "usr/share/", "", "GPL-3.0-or-later",
    ),
    "pushover-data": Package(
        "0.0.5+git20180909-4", "75f52ad553c73660489631b4b4eeb308c3601beee68a097abdd5f2e4e442cbfb",
        "usr/share/pushover/themes/", "", "GPL-3.0-or-later",
    ),
    "singularity-music": Package(
        "007-2", "139ba1e408eeb0a72f1fff3760ca46558b9f81bed97dc8c0efa108c4007f4845",
        "usr/share/games/singularity/music/", "", "CC-BY-SA-3.0",
    ),
    "warmux-data": Package(
        "1:11.04.1+repack2-4", "cceec72afcc9d5b0515149eb505bf0d883bd47399e602b30a805cafa2d91eb70",
        "usr/share/games/warmux/music/", "", "GPL-2.0-or-later",
    ),
}  # fmt: skip

MUSIC = {  # package -> its music
    "0ad-data": "music/*.ogg",
    "asc-music": "*",
    "asterisk-moh-opsound-wav": "*.wav",
    "colobot-common-sounds": "*.ogg",
    "fillets-ng-data": "music/*.ogg",
    "fretsonfire-songs-muldjord": "**/song.ogg",
    "fretsonfire-songs-sectoid": "**/song.ogg",
    "hedgewars-data": "*.ogg",
    "hyperrogue-music": "*.ogg",
    "planetblupi-music-ogg": "**/*.ogg",
    "pushover-data": "**/*.ogg",
    "singularity-music": "**/*.ogg",
    "warmux-data": "**/*.ogg",
    "widelands-data": "../music/*.ogg",
}
SPEECH = ("asterisk-core-sounds-it-wav", "asterisk-core-sounds-ru-wav", "asterisk-core-sounds-fr-wav")
RATE = 16_000  # Hz, of what is worn
SECONDS = 90.0  # of a track
HELD_OUT = 8  # of so many tracks of a package, one helps to choose the weights instead
VIEWS = Views(speed=0.03, tempo=0.04, pitch=0.7)  # queries are tried at speeds and pitches a semitone apart
CONFIG = Config(momentum=0.995)
BATCH, LR, WARMUP = 128, 1e-3, 100
EVERY = 250  # steps between evaluations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "auricle-prints", metavar="DIR")
    parser.add_argument("--minutes", type=float, default=40.0, metavar="N", help="of training (default: 40)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help="the ONNX graph (default: the package's)")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    store = Store(args.cache)
    train: list[Track] = []
    held_out: list[Track] = []
    for number, track in prepared(store):
        (train if (number + 1) % HELD_OUT else held_out).append(track)
    noises = backgrounds(store)
    model = trained(train, held_out, noises, args.minutes, args.cache / "run.pt")
    model.encoder.whiten(prints_of(model, train))
    write(model, args.out)
    np.save(args.out.with_name("cohort.npy"), cohort(prints_of(model, train), prints_of(model, [[n] for n in noises])))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


# --- sounds -----------------------------------------------------------------------------------------------------------


def prepared(store: Store) -> Iterator[tuple[int, Track]]:
    """Number in its package, and takes, of every track of more than half a minute; made when first asked for."""
    folder = store.cache / "takes"
    folder.mkdir(exist_ok=True)
    for name, pattern in MUSIC.items():
        files = [path for path in store.glob(name, pattern) if path.is_file()]
        for number, path in enumerate(files):
            file = folder / f"{name}-{number:03}.npy"
            if not file.exists():
                part = file.with_suffix(".part.npy")
                np.save(part, takes(path, np.random.default_rng(number)))
                part.rename(file)
            sounds = np.load(file, mmap_mode="r")
            if sounds.shape[1] > 30 * front_end.RATE / 128:
                yield number, list(sounds)


def takes(path: Path, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A track as it was published, and worn: in a room, overdriven, encoded, or any of these [2, frames, 120]."""
    sound, _ = read(path, RATE, end=SECONDS)
    if len(sound) < RATE:
        return np.zeros((2, 0, 120), np.uint8)
    worn = clipped(in_a_room(sound, rng), rng) if rng.random() < 0.5 else sound
    if worn is sound or rng.random() < 0.7:
        worn = encoded(worn, rng)
    packs = [packed(soxr.resample(each, RATE, front_end.RATE, "MQ").astype(np.float32)) for each in (sound, worn)]
    shortest = min(map(len, packs))
    return np.stack([pack[:shortest] for pack in packs])


def encoded(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Through MP3, Opus or Vorbis, at about the least rate each goes down to; in step with ``sound``."""
    container, codec = [("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("OGG", "VORBIS")][rng.integers(3)]
    file = io.BytesIO()
    with sf.SoundFile(
        file, "w", RATE, 1, codec, format=container, compression_level=rng.uniform(0.8, 1.0)
    ) as out:  # fmt: skip
        out.write(np.clip(sound, -1, 1))
    file.seek(0)
    back, _ = sf.read(file, dtype="float32")
    late = delay(sound, back)
    back = back[max(late, 0) :]
    return np.pad(back, (max(-late, 0), max(0, len(sound) - len(back))))[: len(sound)].astype(np.float32)


def delay(sound: NDArray[np.float32], other: NDArray[np.float32], seconds: float = 20.0) -> int:
    """Samples by which ``other`` comes later, at most 0.2 s either way."""
    count = min(len(sound), len(other), round(seconds * RATE))
    size = 2 * count
    products = np.fft.rfft(other[:count], size) * np.conj(np.fft.rfft(sound[:count], size))
    likeness = np.fft.irfft(products, size)
    lags = np.r_[-3200:3201]
    return int(lags[np.argmax(likeness[lags])])


def in_a_room(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """With a response of exponentially decaying noise, of 0.1 to 0.8 s, behind the direct sound."""
    seconds = rng.uniform(0.1, 0.8)
    time_ = np.arange(round(seconds * RATE)) / RATE
    tail = rng.standard_normal(len(time_)) * 10 ** (-3 * time_ / seconds)
    tail *= rng.uniform(0.3, 1.2) / np.linalg.norm(tail)
    tail[0] = 1.0
    wet = oaconvolve(sound, tail.astype(np.float32))[: len(sound)]
    return (wet * np.abs(sound).max() / max(float(np.abs(wet).max()), 1e-9)).astype(np.float32)


def clipped(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Overdriven, half the time."""
    level = rng.uniform(0.2, 0.7) * float(np.abs(sound).max()) if rng.random() < 0.5 else 1.0
    return np.clip(sound, -level, level)


def backgrounds(store: Store) -> list[NDArray[np.uint8]]:
    """What is mixed in: babble of five voices, single voices, ambience, white, pink and brown noise."""
    file = store.cache / "noises.npz"
    if not file.exists():
        rng = np.random.default_rng(0)
        seconds = 60
        samples = seconds * front_end.RATE
        voices = [voice(store, name, samples, rng) for name in SPEECH for _ in range(4)]
        babble = [sum((voices[i] for i in rng.choice(len(voices), 5, False)), np.zeros(samples)) for _ in range(6)]
        colours = [coloured(samples, slope, rng) for slope in (0.0, 0.5, 1.0, 1.5, 2.0) for _ in range(3)]
        ambience = [
            read(path, front_end.RATE, end=seconds)[0] for path in store.glob("0ad-data", "ambient/**/*.ogg")[:30]
        ]
        sounds = [*voices[::4], *babble, *colours, *(each for each in ambience if len(each) > 40_000)]
        np.savez(file, *[packed((0.1 * each / np.std(each)).astype(np.float32)) for each in sounds])
    with np.load(file) as saved:
        return list(saved.values())


def voice(store: Store, name: str, samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Prompts of one speaker, one after another."""
    files = store.glob(name, "**/*.wav")
    parts, held = [], 0
    while held < samples:
        sound, _ = read(files[rng.integers(len(files))], front_end.RATE)
        parts.append(sound / max(float(np.std(sound)), 1e-3))
        held += len(sound)
    return np.concatenate(parts)[:samples].astype(np.float64)


def coloured(samples: int, slope: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise whose power falls as frequency to the ``slope``."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    return np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 20) ** (slope / 2), samples)


# --- training ---------------------------------------------------------------------------------------------------------


def trained(train: Sequence[Track], held_out: Sequence[Track], noises, minutes: float, file: Path) -> Model:
    """The encoder that identified most held-out excerpts; the learning rate falls with the time that is left."""
    torch.manual_seed(0)
    task = MoCo(Model(CONFIG), VIEWS)
    optimiser = torch.optim.AdamW(task.model.parameters(), LR, weight_decay=1e-4)
    pairs = Pairs(train, noises, VIEWS, 1 << 40)
    state = {"step": 0, "seconds": 0.0, "best": -1.0, "weights": None}
    if file.exists():
        state = torch.load(file, weights_only=True)
        task.load_state_dict(state["task"])
        optimiser.load_state_dict(state["optimiser"])
    print(f"{len(train)} tracks, {sum(len(t[0]) for t in train) / 62.5 / 3600:.1f} h; {len(held_out)} held out")
    begun = time.monotonic() - state["seconds"]
    step, losses, told = state["step"], [], []
    while (spent := time.monotonic() - begun) < 60 * minutes:
        share = spent / (60 * minutes)
        for group in optimiser.param_groups:
            group["lr"] = LR * min(1.0, (step + 1) / WARMUP) * (0.01 + 0.99 * math.cos(math.pi / 2 * share) ** 2)
        batch = torch.utils.data.default_collate([pairs[step * BATCH + i] for i in range(BATCH)])
        parts = task.training_step(batch)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        losses.append(parts["loss"].item())
        told.append(parts["told"].item())
        step += 1
        if step % EVERY == 0:
            found = identified(task.model, held_out, noises)
            task.train()
            if found >= state["best"]:
                state |= {"best": found, "weights": {k: v.clone() for k, v in task.model.state_dict().items()}}
            state |= {"step": step, "seconds": time.monotonic() - begun}
            torch.save(state | {"task": task.state_dict(), "optimiser": optimiser.state_dict()}, file)
            recent = np.mean(losses[-EVERY:]), np.mean(told[-EVERY:])
            print(
                f"{step} {spent / 60:.1f} min loss {recent[0]:.3f} told {recent[1]:.3f} found {found:.4f}", flush=True
            )
    model = Model(CONFIG)
    model.load_state_dict(state["weights"] or task.model.state_dict())
    return model.eval()


@torch.no_grad()
def identified(model: Model, tracks: Sequence[Track], noises: Sequence[NDArray[np.uint8]], each: int = 40) -> float:
    """How often a single distorted window of held-out music finds its place, within a window, among all of theirs."""
    model.eval()
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    dense = front_end.STEP * 2
    keys, owner, at = [], [], []
    for number, track in enumerate(tracks):
        places = np.arange(128, len(track[0]) - 128, dense)
        keys.append(model.encoder(torch.from_numpy(np.stack([cut_out(track[0], m)[24:].T for m in places]))))
        owner += [number] * len(places)
        at += list(places)
    keys, owner, at = torch.cat(keys), np.array(owner), np.array(at)
    right = total = 0
    for number, track in enumerate(tracks):
        middles = rng.uniform(300, len(track[0]) - 300, each)
        cuts = [cut_out(track[rng.integers(len(track))], middle, *drawn(VIEWS, rng)) for middle in middles]
        noise = np.stack([cut_out(noises[rng.integers(len(noises))], rng.uniform(200, 3000))[24:] for _ in middles])
        queries = distorted(torch.from_numpy(np.stack(cuts)), torch.from_numpy(noise), VIEWS)
        best = (model.encoder(queries) @ keys.T).argmax(1).numpy()
        right += int(((owner[best] == number) & (np.abs(at[best] - middles) <= dense)).sum())
        total += each
    torch.set_rng_state(state)
    return right / total


@torch.no_grad()
def prints_of(model: Model, tracks: Sequence[Track]) -> torch.Tensor:
    """Prints of tracks as they were published, without those of silence."""
    found = []
    for track in tracks:
        heard = front_end.windows(LEVELS[np.asarray(track[0][:: front_end.HOP // DENSE])])
        found.append(model.encoder(torch.from_numpy(np.ascontiguousarray(heard))))
    prints = torch.cat(found)
    return prints[prints.any(1)]


def cohort(music: torch.Tensor, noise: torch.Tensor) -> NDArray[np.float16]:
    """Prints of all sorts of sound, mostly music, that say how common a print is [512, dim]."""
    rng = np.random.default_rng(0)
    chosen = [each[rng.choice(len(each), count, False)] for each, count in ((music, 448), (noise, 64))]
    return torch.cat(chosen).numpy().astype(np.float16)


def write(model: Model, target: Path) -> None:
    """Writes the encoder as an ONNX graph of half-precision weights: ``power`` [n, 96, 64] -> ``prints`` [n, 64]."""
    example = torch.rand(2, front_end.BANDS, front_end.FRAMES)
    program = torch.onnx.export(
        model.encoder.eval(),
        (example,),
        dynamo=True,
        opset_version=20,
        input_names=["power"],
        output_names=["prints"],
        dynamic_shapes=({0: torch.export.Dim("windows")},),
        verbose=False,
    )
    assert program is not None
    model_proto = program.model_proto
    halve(model_proto.graph)
    onnx.save_model(model_proto, target)


def halve(graph: onnx.GraphProto) -> None:
    """Stores large tensors in half precision; the runtime turns them back into floats when it opens the graph."""
    for tensor in [each for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT]:
        values = onnx.numpy_helper.to_array(tensor)
        if values.size >= 1024:
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            cast = onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
            graph.node.insert(0, cast)


if __name__ == "__main__":
    main()
