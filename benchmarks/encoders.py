"""How fast four transformers hear, beside the public implementations of them.

    python benchmarks/encoders.py [--hts-at DIR] [--passt DIR] [--beats DIR] [--json FILE] [--quick]

Both networks of a pair are given the same batch of spectrograms of 10 s and take turns, with random weights, in 32
bits, on all cores; front-ends are left out. AST is compared with Hugging Face transformers (``sdpa`` and ``eager``),
the others with checkouts of

    github.com/RetroCirce/HTS-Audio-Transformer    github.com/kkoutini/PaSST    github.com/microsoft/unilm (beats)

What these import and the forward pass does not need (data loaders, other front-ends) need not be installed.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import MagicMock

import torch
from rich.progress import track
from torch import Tensor

from _common import Report, arguments, timed
from auricle.represent import ast, beats, hts_at, passt

CLIPS, ROUNDS = 2, 5
UNUSED = (  # by the forward passes
    "ba3l", "ba3l.ingredients", "ba3l.ingredients.ingredient", "h5py", "librosa", "museval", "timm", "timm.models",
    "timm.models._hub", "torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "torchlibrosa",
    "torchlibrosa.stft", "torchlibrosa.augmentation",
)  # fmt: skip

Network = Callable[[Tensor], Any]


def main() -> int:
    folder = {"type": Path, "metavar": "DIR"}
    args = arguments(
        __doc__,
        hts_at=folder | {"help": "a checkout of HTS-Audio-Transformer"},
        passt=folder | {"help": "a checkout of PaSST"},
        beats=folder | {"help": "the folder beats in a checkout of unilm"},
    )
    report = Report("Forward passes beside the public implementations", args)
    clips, rounds = (1, 1) if args.quick else (CLIPS, ROUNDS)
    torch.manual_seed(0)
    with torch.inference_mode():
        mel = torch.randn(clips, 1024, 128)
        ours = ast.Model().eval().hear
        for attention in ("sdpa", "eager"):
            compare(f"AST, transformers ({attention})", ours, public_ast(attention), mel, mel, rounds, report)
        if args.hts_at:
            mel = torch.randn(clips, 1001, 64)
            theirs = public_hts_at(args.hts_at)
            compare("HTS-AT, the authors'", hts_at.Model().eval().hear, theirs, mel, mel[:, None], rounds, report)
        if args.passt:
            mel = torch.randn(clips, 998, 128)
            theirs = public_passt(args.passt)
            image = mel.transpose(1, 2)[:, None]
            compare("PaSST, the authors'", passt.Model().eval().hear, theirs, mel, image, rounds, report)
        if args.beats:
            mel = torch.randn(clips, 998, 128)
            compare(
                "BEATs, the authors'", beats.Model().eval().encoder, public_beats(args.beats), mel, mel, rounds, report
            )
    report.note(f"{clips} clips of 10 s at once, {rounds} rounds, {torch.get_num_threads()} threads")
    return report.finish()


def compare(
    part: str, ours: Network, theirs: Network, mel: Tensor, their_mel: Tensor, rounds: int, report: Report
) -> None:
    """Adds the seconds of both and how many times as fast ours is, all medians over the rounds."""
    times = []
    for i in track(range(rounds + 1), part, transient=True):
        pair = timed(lambda: ours(mel)), timed(lambda: theirs(their_mel))
        times += [pair] if i else []  # the first is to warm up
    report.part = part
    report.add("auricle, a batch", median(one for one, _ in times), "s")
    report.add("theirs, a batch", median(other for _, other in times), "s")
    report.add("auricle's speed over theirs", median(other / one for one, other in times), "×", at_least=1.0)


def public_ast(attention: str) -> Network:
    from transformers import ASTConfig, ASTForAudioClassification

    return ASTForAudioClassification(ASTConfig(num_labels=527, attn_implementation=attention)).eval()


def public_hts_at(folder: Path) -> Network:
    config = imported(folder, "config")
    model = imported(folder, "model.htsat").HTSAT_Swin_Transformer(
        spec_size=config.htsat_spec_size,
        patch_size=config.htsat_patch_size,
        patch_stride=config.htsat_stride,
        num_classes=527,
        embed_dim=config.htsat_dim,
        depths=config.htsat_depth,
        num_heads=config.htsat_num_head,
        window_size=config.htsat_window_size,
        config=config,
    )
    model.spectrogram_extractor = model.logmel_extractor = lambda mel: mel
    return model.eval()


def public_passt(folder: Path) -> Network:
    kind = imported(folder, "models.passt").PaSST
    return kind(img_size=(128, 998), patch_size=16, stride=(10, 10), num_classes=527, distilled=True).eval()


def public_beats(folder: Path) -> Network:
    module = imported(folder, "BEATs")
    facts = {"input_patch_size": 16, "embed_dim": 512, "relative_position_embedding": True, "num_buckets": 320}
    facts |= {"max_distance": 800, "gru_rel_pos": True, "deep_norm": True, "layer_norm_first": False}
    model = module.BEATs(module.BEATsConfig(facts)).eval()
    model.preprocess = lambda mel, **_: mel
    return model.extract_features


def imported(folder: Path, name: str) -> Any:
    """A module of a checkout; what is not needed of what it imports is made up."""
    for unused in UNUSED:
        sys.modules.setdefault(unused, MagicMock())
    sys.path.insert(0, str(folder))
    module = importlib.import_module(name)
    sys.path.remove(str(folder))
    for known, other in [*sys.modules.items()]:  # those of the next checkout may have the same names
        if str(getattr(other, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[known]
    return module


if __name__ == "__main__":
    sys.exit(main())
