"""What became of the ratios that an experiment had predicted."""

from __future__ import annotations

from collections.abc import Iterator

from serverlab.analysis.evidence import Ground
from serverlab.model.definitions import Prediction
from serverlab.model.tables import Interval, Score, ScoredPrediction


def score_all(ground: Ground) -> Iterator[ScoredPrediction]:
    """The predictions about rows of the section, in the order of the experiment."""
    for prediction in ground.plan.experiment.predictions:
        for evidence in ground.evidence:
            if _is_about(prediction, evidence.target, evidence.workload, ground.cpus):
                found = ground.ratios.get(evidence.name)
                yield _scored(evidence.name, prediction, found.interval if found else None)


def score(low: float, high: float, interval: Interval | None) -> Score:
    """HELD where the interval lies within the prediction, MISSED where they have nothing in common, else UNDECIDED."""
    if interval is None:
        return Score.UNDECIDED
    if low <= interval.low and interval.high <= high:
        return Score.HELD
    return Score.MISSED if interval.high < low or high < interval.low else Score.UNDECIDED


def _scored(name: str, prediction: Prediction, interval: Interval | None) -> ScoredPrediction:
    low, high = prediction.ratio
    return ScoredPrediction(
        name=name,
        low=low,
        high=high,
        source=prediction.source,
        score=score(low, high, interval),
        interval=interval,
    )


def _is_about(prediction: Prediction, target: str, workload: str, cpus: int) -> bool:
    wanted = (prediction.target, target), (prediction.workload, workload), (prediction.cpus, cpus)
    return all(expected is None or expected == found for expected, found in wanted)
