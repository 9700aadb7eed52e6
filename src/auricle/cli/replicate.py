"""``auricle replicate``: re-checks the claim of a paper."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.options import SHARED, Anywhere, option
from auricle.cli.output import print_json, say, table, text


@dataclass
class Command:
    """Run every arm of a system's experiment with several seeds and judge its claim by thresholds fixed beforehand."""

    name: Annotated[Positional[str], option("NAME")]
    """The system."""

    preset: Annotated[str, option("NAME")] = "mini"
    """paper, mini or smoke; smoke only shows that it runs, and writes nothing."""

    seeds: Annotated[int | None, option("N")] = None
    """How many seeds (default: what the system asks for)."""

    arm: Annotated[tuple[str, ...], option("NAME")] = ()
    """Only this arm (repeatable); nothing is then judged or written."""

    results: Annotated[Path, option("DIR")] = Path("results")
    """Where results are kept."""

    anywhere: Annotated[Anywhere, SHARED] = field(default_factory=Anywhere)

    def run(self) -> None:
        from auricle.train.replicate import run

        self.anywhere.apply()
        result = run(self.name, self.preset, self.seeds, self.arm or None, self.results, tell=say)
        if self.anywhere.json:
            print_json(result)
            return
        rows = [
            [text(arm, "cyan"), text(metric), text(f"{found['mean']:.4g}"), text(_interval(found["interval"]))]
            for arm, metrics in result["arms"].items()
            for metric, found in metrics.items()
        ]
        table(["arm", "metric", "mean", "95 % interval"], rows)
        for claim, holds in result.get("claims", {}).items():
            say(f"{'yes' if holds else 'no '}  {claim}")
        if "verdict" in result:
            say(f"Verdict: {result['verdict']}")


def _interval(bounds: list[float] | None) -> str:
    return f"{bounds[0]:.4g} … {bounds[1]:.4g}" if bounds else "–"
