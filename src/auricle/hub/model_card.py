"""The card that goes beside a model's weights: written from the system's card and the run, never by hand."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import auricle
from auricle.hub.card import Card
from auricle.hub.registry import systems, verdict

USE = """\
## Use

```python
from auricle.hub.pretrained import from_pretrained

model = from_pretrained("FOLDER")  # or "organisation/name"
wave = torch.zeros(1, {sample_rate})  # [batch, samples] at {sample_rate} Hz, in [-1, 1]
model.{method}
```

Over a folder of recordings: `auricle index RECORDINGS --ear FOLDER`."""


def model_card(
    model: Any,
    system: str,
    *,
    run: str | PathLike[str] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> str:
    """Markdown with the front matter that the Hugging Face hub reads.

    Args:
        model: the model; its attributes ``sample_rate``, ``window``, ``dim`` and ``classes`` are told.
        system: the system's name; without such a system the card tells of the model alone.
        run: folder of a training run, with its ``run.json`` (recipe, versions, data) and ``finished.json`` (its best).
        metrics: by default those of the run's best evaluation.
    """
    card = systems().get(system)
    facts, best = _run(run)
    measured = dict(metrics or best)
    method = "tag(wave)  # scores [batch, classes] in [0, 1]" if model.classes else "embed(wave)  # [batch, dim]"
    parts = [
        _front_matter(card, measured),
        f"# {card.title if card else system}",
        _origin(card, system),
        _hears(model),
        USE.format(method=method, sample_rate=model.sample_rate),
        _table("## Measured", ("metric", "value"), {name: f"{value:.4g}" for name, value in measured.items()}),
        _table("## Training", ("what", "value"), _flat(facts)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(card: Card | None, measured: Mapping[str, float]) -> str:
    lines = ["library_name: auricle", "tags:", "- audio", f"- auricle-{auricle.__version__}"]
    if card:
        lines += [f"- {card.name}", *([f"- arxiv:{card.arxiv}"] if card.arxiv else [])]
        lines += ["pipeline_tag: audio-classification"] if "tagging" in card.task else []
    if measured:
        lines += ["metrics:", *(f"- {name}" for name in measured)]
    return "\n".join(["---", *lines, "---"])


def _origin(card: Card | None, system: str) -> str:
    if card is None:
        return f"A model of auricle {auricle.__version__}, `{system}`."
    authors = ", ".join(card.authors)
    paper = f", [arXiv:{card.arxiv}](https://arxiv.org/abs/{card.arxiv})" if card.arxiv else ""
    lines = [
        f"`{card.name}` of auricle {auricle.__version__}, room `{card.room}`: {card.summary or card.task}".rstrip(" :"),
        f"{authors}{f' ({card.year})' if card.year else ''}{paper}." if authors or paper else "",
        f"Claim of the paper: {card.claim}. Re-run in auricle: **{verdict(card)}**." if card.claim else "",
        f"Licence of the authors' code: {card.code_licence or 'not stated'}; of their data: "
        f"{card.data_licence or 'not stated'}. These weights were trained anew: whoever publishes them says "
        "under which licence.",
    ]
    return "\n\n".join(line for line in lines if line)


def _hears(model: Any) -> str:
    window = f"{model.window:g} s at once" if model.window else "any length"
    lines = [f"Hears mono sound at {model.sample_rate} Hz, {window}; gives {model.dim} numbers."]
    if model.classes:
        names = ", ".join(model.classes[:50])
        more = f" and {len(model.classes) - 50} more" if len(model.classes) > 50 else ""
        lines.append(f"Knows {len(model.classes)} classes: {names}{more}.")
    parameters = sum(tensor.numel() for tensor in model.parameters())
    return "\n".join([*lines, f"{parameters:,} parameters."])


def _run(folder: str | PathLike[str] | None) -> tuple[dict[str, Any], dict[str, float]]:
    """What a run folder says of the run, and its best evaluation."""
    if folder is None:
        return {}, {}
    about, ended = (Path(folder) / name for name in ("run.json", "finished.json"))
    facts = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    best = (json.loads(ended.read_text(encoding="utf-8"))["best"] if ended.is_file() else None) or {}
    return facts, {name: value for name, value in best.items() if name != "step"}


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as ``a.b: value``."""
    flat = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat


def _table(title: str, head: tuple[str, str], rows: Mapping[str, str]) -> str:
    if not rows:
        return ""
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join([title, "", *lines])
