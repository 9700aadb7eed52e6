"""``auricle systems``: what auricle can load."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from auricle.cli.options import SHARED, Anywhere, option
from auricle.cli.output import print_json, say, table, text


@dataclass
class Command:
    """List the systems auricle knows, with what re-running their claims gave."""

    purpose: Annotated[str | None, option("TASK", name="for")] = None
    """Only systems for a task, e.g. tag or embed (embed: whatever `index --ear` can listen with)."""

    sort: Annotated[Literal["room", "name", "year", "verdict", "score", "speed", "size"], option()] = "room"
    """What to order by; score is the share of claims that held, size that of the default weights."""

    limit: Annotated[int | None, option("N", short="-n")] = None
    """Most systems (default: all)."""

    anywhere: Annotated[Anywhere, SHARED] = field(default_factory=Anywhere)

    def run(self) -> None:
        from auricle.hub import systems
        from auricle.hub.registry import result, speed, verdict

        rows = [
            {
                "name": card.name,
                "room": card.room,
                "kind": card.kind,
                "title": card.title,
                "arxiv": card.arxiv,
                "verdict": verdict(card),
                "year": card.year,
                "task": card.task,
                "ear": card.ear,
                "weights": list(card.weights),
                "extras": list(card.extras),
                "score": score(result(card)),
                "speed": speed(card),
                "size": sum(file.size for file in card.weights.get(card.tag, ())) or None,
            }
            for card in systems().values()
        ]
        chosen = sorted(filter(self.serves, rows), key=self.order)[: self.limit]
        if self.anywhere.json:
            print_json(chosen)
            return
        columns = ("name", "room", "kind", "task", "year", "verdict", "score", "speed", "size", "title")
        for row in chosen:
            row["score"] = None if row["score"] is None else f"{row['score']:.0%}"
            row["speed"] = row["speed"] and f"{row['speed']:,.0f} ×"
            row["size"] = row["size"] and f"{row['size'] / 1e6:.1f} MB"
        table(columns, [[text(row[name] or "–") for name in columns] for row in chosen])
        if not chosen:
            say(f"No system is for {self.purpose!r}. Without --for, all are listed.")

    def order(self, row: dict) -> tuple:
        """Where a system stands in the list; what is not known comes last."""
        value = row[self.sort]
        if self.sort in ("score", "speed") and value is not None:
            value = -value
        return (value is None, value if value is not None else 0, row["name"])

    def serves(self, row: dict) -> bool:
        """Whether a system does the task asked for: by its task's words, its room, or for being an ear."""
        if self.purpose is None:
            return True
        wanted = self.purpose.lower()
        encodes = row["ear"] or row["room"] == "represent"
        return (wanted == "embed" and encodes) or wanted in row["task"].lower() or wanted == row["room"]


def score(result: dict) -> float | None:
    """The share of a system's claims that held when they were checked again; None before that."""
    claims = result.get("claims")
    return round(sum(claims.values()) / len(claims), 3) if claims else None
