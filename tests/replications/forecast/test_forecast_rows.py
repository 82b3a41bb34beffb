"""The table of counted work: written, merged, read, and what is wrong with it named."""

import pytest

from common.errors import RetraceError
from common.measure.work import Work
from common.runs import workflow
from common.runs.plan import plan
from replications.forecast.rows import REST, TRAINING, Row, file_of, merge, read
from replications.forecast.runs import configured, planned

ONE = Row("p", "e", "v", TRAINING, "name", 10, 100, 4, 1.0, 2.5e9, 3e12, 4.0, 1.25, "mark")
OTHER = Row("p", "e", "w", REST, "", 0, 0, 0, 1.0, 2.0, 3.0, 0.0, 1.0, "mark")


def test_rows_come_back_as_they_were(tmp_path):
    merge("gpu", [OTHER, ONE], tmp_path)
    assert read("gpu", tmp_path) == (ONE, OTHER)
    assert ONE.work == Work(1.0, 2.5e9, 3e12)


def test_new_rows_take_the_place_of_the_same_run_s(tmp_path):
    merge("gpu", [ONE, OTHER], tmp_path)
    merge("gpu", [ONE._replace(part=REST, flops=1.0)], tmp_path)
    assert read("gpu", tmp_path) == (ONE._replace(part=REST, flops=1.0), OTHER)


def test_a_level_that_was_not_counted_has_none(tmp_path):
    assert read("paper", tmp_path) == ()


def test_a_broken_line_is_named(tmp_path):
    merge("gpu", [ONE], tmp_path)
    file = file_of("gpu", tmp_path)
    file.write_text(file.read_text().replace("2.5e+09", "many"))
    read.cache_clear()
    with pytest.raises(RetraceError, match=r"gpu.csv, line 2: .*many.*count --level gpu"):
        read("gpu", tmp_path)


@pytest.mark.parametrize("level", ["smoke", "laptop", "gpu", "paper"])
def test_the_runs_are_those_of_the_workflow(level):
    config = {**configured(), "level": level}
    jobs = plan(workflow.papers(), config)
    found = list(planned(level, workflow.papers(), config["seeds"][level]))
    assert sum(len(run.seeds) for run in found) == sum(len(job.runs) for job in jobs)
    assert len({run.key for run in found}) == len(found)
    if level == "gpu":
        wanting = {job.target for job in jobs if job.resources["gpu"]}
        assert {run.paper for run in found if run.gpu} == wanting
