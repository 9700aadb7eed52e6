"""Learning-rate schedules as pure functions of the step: nothing to save, nothing to restore."""

from math import cos, pi

from auricle.train.recipe import Schedule

PEAK = 0.3  # of the steps: where one_cycle is highest (Smith & Topin 2018, arXiv 1708.07120; torch's default)
BEGIN = 1 / 25  # factor at which one_cycle begins
END = BEGIN / 1e4  # and at which it ends


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """What the learning rate is multiplied with at ``step`` (0 … ``steps`` - 1), in [0, 1]."""
    if schedule.name == "one_cycle":
        peak = PEAK * steps - 1
        if step <= peak:
            return _cosine(BEGIN, 1.0, step / peak)
        return _cosine(1.0, END, (step - peak) / (steps - 1 - peak))
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    progress = (step - schedule.warmup) / max(1, steps - schedule.warmup)
    match schedule.name:
        case "cosine":
            return _cosine(1.0, schedule.floor, progress)
        case "linear":
            return 1.0 + (schedule.floor - 1.0) * progress
        case "step":
            return schedule.gamma ** ((step - schedule.warmup) // schedule.every)
    return 1.0


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + cos(pi * progress)) / 2
