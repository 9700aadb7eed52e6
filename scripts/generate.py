"""Writes what is said of the systems from their cards and results, REPLICATION.md and docs/systems.md, what was
measured of the software from benchmarks/results, docs/measurements.md, and the table of ears in docs/ears.md.

python scripts/generate.py           writes them
python scripts/generate.py --check   says whether they are up to date, and fails if not
"""

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from auricle.hub import Card, systems, verdict
from auricle.hub.registry import PACKAGE, result
from auricle.train import ears

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Written by scripts/generate.py from cards and results; changes here are overwritten. -->"
EARS = "<!-- ears: written by scripts/generate.py from results/ears.json -->", "<!-- end of ears -->"


def replication(cards: list[Card]) -> str:
    """The table of claims, and below it what each re-run measured."""
    attempted = [card for card in cards if result(card)]
    lines = [
        "# Replication",
        NOTE,
        "Each system's claim was put as an experiment on the sounds that come with auricle, with thresholds fixed "
        "before any result was seen; `auricle replicate NAME` runs it again. **replicated**: all its claims held; "
        "**partly**: some; **not**: none. Means are over seeds, with the 95 % interval of Student's t.",
        table(
            ("System", "Paper", "Verdict", "Claims that held", "Seeds", "Time"),
            [summary(card, result(card)) for card in attempted],
        ),
    ]
    rest = [card.name for card in cards if card not in attempted]
    if rest:
        lines.append(f"Not attempted: {', '.join(rest)}.")
    return "\n\n".join([*lines, *map(measured, attempted)]) + "\n"


def summary(card: Card, found: dict[str, Any]) -> tuple[Any, ...]:
    """One re-run in a line."""
    held = f"{sum(found['claims'].values())} of {len(found['claims'])}"
    minutes = f"{found['seconds'] / 60:.0f} min"
    return f"[{card.name}](#{card.name})", paper(card), f"**{found['verdict']}**", held, found["seeds"], minutes


def measured(card: Card) -> str:
    """What one re-run gave."""
    found = result(card)
    metrics = list(dict.fromkeys(metric for arm in found["arms"].values() for metric in arm))
    rows = [(arm, *(number(values.get(metric)) for metric in metrics)) for arm, values in found["arms"].items()]
    claims = "\n".join(f"- {'held' if holds else '**failed**'}: {claim}" for claim, holds in found["claims"].items())
    where = f"Preset `{found['preset']}`, commit `{found['commit'][:12]}`, {found['machine']}, {found['date'][:10]}."
    parts = [f"## {card.name}", f"{card.title}. {paper(card)}", f"The paper: {card.claim}."]
    return "\n\n".join([*parts, claims, table(("Arm", *metrics), rows), where])


def catalogue(cards: list[Card]) -> str:
    """All systems, room by room."""
    parts = [
        "# Systems",
        NOTE,
        "What `auricle.load(NAME)` finds, room by room. An *ear* can be used with `auricle index --ear NAME`; what "
        "re-running each claim gave is in `REPLICATION.md`.",
    ]
    for room, members in groupby(cards, key=lambda card: card.room):
        parts.append(f"## {room}")
        for card in members:
            facts = [
                ("Paper", f"{card.title}. {', '.join(card.authors)}, {card.year}. {paper(card)}"),
                ("Task", card.task + (", an ear" if card.ear else "")),
                ("Claim", card.claim),
                ("Re-run", verdict(card)),
                ("Weights", ", ".join(f"`{card.name}@{tag}`" for tag in card.weights)),
                ("Licences", f"code {card.code_licence or 'not stated'}; data {card.data_licence or 'not stated'}"),
                ("Needs", f"`auricle[{','.join(card.extras)}]`" if card.extras else ""),
            ]
            parts += [f"### {card.name}", card.summary, table(("", card.kind), [fact for fact in facts if fact[1]])]
    return "\n\n".join(part for part in parts if part) + "\n"


def measurements(results: list[Path]) -> str:
    """What the benchmarks found, each as its own table."""
    parts = [
        "# Measurements",
        NOTE,
        "What the scripts in `benchmarks/` measured, with the limits that were set before. A limit that was missed "
        "says so. Each script tells in its first lines what it does, and how to run it.",
    ]
    for file in results:
        found = json.loads(file.read_text(encoding="utf-8"))
        words = retrieval(found) if isinstance(found["rows"], dict) else limits(found)
        parts += [*words, f"Again: `python benchmarks/{file.stem}.py`"]
    return "\n\n".join(parts) + "\n"


def limits(found: dict[str, Any]) -> list[str]:
    """A benchmark whose figures are held against limits."""
    rows = []
    for row in found["rows"]:
        signs = (("≥", row["at_least"]), ("≤", row["at_most"]))
        limit = " ".join(f"{sign} {value:g}" for sign, value in signs if value is not None)
        held = {True: "held", False: "**missed**", None: ""}[row["holds"]]
        value = row["value"]
        shown = "–" if value is None else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
        rows.append((row["part"], row["what"], f"{shown} {row['unit']}".rstrip(), limit, held))
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    head = ("", "What", "Measured", "Limit", "")
    return [f"## {found['benchmark']}", table(head, rows), *found["notes"], f"On {machine}."]


def retrieval(found: dict[str, Any]) -> list[str]:
    """How well words find sounds, step by step of the matching."""
    sets = list(next(iter(found["rows"].values())))
    head = ("", *(f"{metric}, {where}" for where in sets for metric in ("mAP@10", "R@1", "refused")))
    rows = [(name, *(f"{v:.3f}" for where in sets for v in row[where].values())) for name, row in found["rows"].items()]
    default, tags = found["default"], found.get("tagging", {})
    after = (
        f"At the default threshold {default['right first hits kept']:.1%} of the right first hits are kept and "
        f"{default['absent refused']:.1%} of what is not there is refused."
    )
    told = ", ".join(f"{label} {share:.1%}" for label, share in tags.items())
    tagged = [f"A right class among the first five tags: {told}."] if tags else []
    title = "{queries} sentences, {absent} for what is not there, {recordings} recordings".format(**found)
    return [f"## Words that find sounds: {title}", table(head, rows), after, *tagged]


def compared(page: Path, file: Path) -> str:
    """The page on ears with the table of their scores between its marks."""
    found = json.loads(file.read_text(encoding="utf-8"))
    before, _, rest = page.read_text(encoding="utf-8").partition(EARS[0])
    after = rest.partition(EARS[1])[2]
    tasks = ", ".join(f"{task} {of['test']} ({of['classes']})" for task, of in found["tasks"].items())
    where = f"Clips asked about (classes): {tasks}. {found['machine']}, {found['date'][:10]}."
    rows = [tuple(ears.row(f"`{name}`", ear)) for name, ear in found["ears"].items()]
    return before + "\n\n".join([EARS[0], table(ears.COLUMNS, rows), where, EARS[1]]) + after


def paper(card: Card) -> str:
    return f"[arXiv:{card.arxiv}](https://arxiv.org/abs/{card.arxiv})" if card.arxiv else ""


def number(summary: dict[str, Any] | None) -> str:
    """A mean and half its interval, as ``0.431 ± 0.012``."""
    if summary is None:
        return ""
    interval = summary["interval"]
    return f"{summary['mean']:.4g}" + (f" ± {(interval[1] - interval[0]) / 2:.2g}" if interval else "")


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def main() -> int:
    cards = [card for card in systems().values() if own(card)]
    pages = {
        ROOT / "REPLICATION.md": replication(cards),
        ROOT / "docs" / "systems.md": catalogue(cards),
        ROOT / "docs" / "measurements.md": measurements(sorted((ROOT / "benchmarks" / "results").glob("*.json"))),
        ROOT / "docs" / "ears.md": compared(ROOT / "docs" / "ears.md", ROOT / "results" / "ears.json"),
    }
    stale = [file for file, text in pages.items() if not file.is_file() or file.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for file in stale:
            print(f"{file.relative_to(ROOT)} is out of date: run python scripts/generate.py", file=sys.stderr)
        return bool(stale)
    for file in stale:
        file.write_text(pages[file], encoding="utf-8")
        print(f"wrote {file.relative_to(ROOT)}")
    return 0


def own(card: Card) -> bool:
    """Whether a system is auricle's own, and not one that an installed package brings."""
    place = PACKAGE / card.room / card.name
    return place.is_dir() or place.with_suffix(".py").is_file()


if __name__ == "__main__":
    sys.exit(main())
