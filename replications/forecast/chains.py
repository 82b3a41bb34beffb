"""How long a level takes at the least, however many GPUs there are: its longest chain of jobs that wait for each other."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from common.runs.plan import Job
from replications.forecast.lines import Line
from replications.forecast.resources import pattern


class Chain(NamedTuple):
    """Jobs of which each waits for the one before, and their hours."""

    hours: float
    jobs: tuple[str, ...]


def longest(jobs: Sequence[Job], lines: Sequence[Line]) -> Chain:
    """Return the longest chain of a level whose every run is a job; the first job is the one that waits for none."""
    spent = {pattern(line).removesuffix("*"): line.hours / line.replicates for line in lines}
    makers = {file: job for job in jobs for file in job.outputs}
    by_name = {job.name: job for job in jobs}

    @cache
    def ending(name: str) -> Chain:
        job = by_name[name]
        needed = {makers[file].name for files in job.inputs.values() for file in files if file in makers}
        before = max((ending(other) for other in sorted(needed)), key=lambda chain: chain.hours, default=Chain(0.0, ()))
        own = spent[name.rstrip("0123456789")]
        return Chain(before.hours + own, (*before.jobs, name))

    return max((ending(job.name) for job in jobs), key=lambda chain: chain.hours)
