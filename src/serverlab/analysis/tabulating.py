"""The way from a run to its table."""

from __future__ import annotations

from serverlab.analysis.conditions import run_facts, section_facts
from serverlab.analysis.differences import as_share, reach_of
from serverlab.analysis.doubts import find_doubts
from serverlab.analysis.evidence import Ground
from serverlab.analysis.grouping import grounds
from serverlab.analysis.precision import precision
from serverlab.analysis.predictions import score_all
from serverlab.analysis.rows import make_row
from serverlab.model.runs import Run
from serverlab.model.tables import NoiseFloor, Row, RowState, Section, Table

STATE_ORDER = (RowState.MEASURED, RowState.VOID, RowState.NOT_RUN, RowState.NOT_APPLICABLE)


def tabulate(run: Run) -> Table:
    """The table of the run: a section for each workload, budget and (where references are per edge) edge.

    Targets are sorted by requests per second, the largest first; those without numbers follow. Where workloads are
    compared there is a section for each target and budget, with the workloads in the order of the experiment.
    """
    sections = tuple(_section(ground) for ground in grounds(run))
    return Table(
        run=run.name,
        title=run.plan.experiment.title,
        question=run.plan.experiment.question,
        facts=run_facts(run, precision(run.plan, sections)),
        sections=sections,
        problems=run.problems,
    )


def _section(ground: Ground) -> Section:
    doubts = find_doubts(ground)
    rows = [
        make_row(
            ground,
            evidence,
            doubts=tuple(
                doubt.number
                for doubt in doubts
                if not doubt.everywhere and any(evidence.name in detail.targets for detail in doubt.details)
            ),
        )
        for evidence in ground.evidence
    ]
    return Section(
        workload=ground.workload,
        target=ground.target,
        cpus=ground.cpus,
        edge=ground.edge,
        reference=ground.reference,
        conditions=section_facts(ground),
        rows=tuple(rows if ground.workload is None else sorted(rows, key=_order)),
        doubts=doubts,
        noise_floors=tuple(
            NoiseFloor(
                name=name,
                ratio=floor.spread,
                interval=floor.interval,
                reach=as_share(reach_of(floor.interval)) if floor.interval else None,
            )
            for name, floor in ground.floors.items()
        ),
        predictions=tuple(score_all(ground)),
    )


def _order(row: Row) -> tuple[int, float, str]:
    return STATE_ORDER.index(row.state), -row.rps.median if row.rps else 0.0, row.target
