"""The lock holds what was registered: it notices every change, and asks for a reason."""

import shutil
from pathlib import Path

import pytest

from common.errors import SettingsError
from common.measure import registration
from common.measure.paper import Amendment, Withdrawn, load_paper
from common.measure.registration import changes, current, read, register
from common.runs import settings as settings_of
from common.runs.settings import package_folder, papers

AMENDED = Amendment(date="2026-01-02", why="It did not measure the statement.", rule="at most 1", verdict="inconclusive")


@pytest.mark.parametrize("name", papers())
def test_every_paper_is_as_it_was_registered_or_says_why(name):
    paper = load_paper(package_folder(f"replications.{name}"))
    assert changes(paper).problems == []
    lock = read(paper)
    assert lock is not None and lock.base_seed not in lock.looked_at


@pytest.fixture
def flow(tmp_path, monkeypatch):
    """Return the flow matching paper in a copy of the repository's tree that the test may change, registered."""
    for part in ("replications/flow_matching", "common", "config"):
        shutil.copytree(settings_of.ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (settings_of, registration):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    folder = tmp_path / "replications" / "flow_matching"
    (folder / registration.LOCK).unlink(missing_ok=True)
    paper = load_paper(folder)
    register(paper, date="2026-01-01", base_seed=1806, results=tmp_path / "results")
    return paper


def with_claim(paper, identifier, **update):
    claims = [claim.model_copy(update=update) if claim.id == identifier else claim for claim in paper.claims]
    changed = paper.model_copy(update={"claims": claims})
    changed._folder = paper.folder
    return changed


def named(paper):
    """Return which claims have which changed parts."""
    return {name: parts for name, parts in changes(paper).parts.items() if parts}


def test_nothing_has_changed_right_after(flow):
    assert named(flow) == {} and changes(flow).problems == []
    lock = read(flow)
    assert (lock.date, lock.base_seed, lock.rule) == ("2026-01-01", 1806, {"replicates": 5, "confidence": 0.9})
    assert set(lock.claims) == {claim.id for claim in flow.claims}


@pytest.mark.parametrize(("update", "part"), [({"range": (None, 1.5)}, "range"), ({"kind": "check"}, "kind")])
def test_a_changed_range_or_kind_is_caught(flow, update, part):
    changed = with_claim(flow, "rank-nfe", **update)
    assert named(changed) == {"rank-nfe": [part]}
    (problem,) = changes(changed).problems
    assert "claims 'rank-nfe'" in problem and f"another {part} than registered on 2026-01-01" in problem and "amended" in problem


def test_a_changed_statistic_is_caught(flow):
    file = flow.folder / "claims.py"
    text = file.read_text()
    assert 'NFE.rank("fm_ot"' in text
    file.write_text(text.replace('NFE.rank("fm_ot"', 'NFE.rank("fm_vp"'))
    assert named(flow) == {"rank-nfe": ["statistic"]}


def test_changed_settings_are_caught_wherever_they_stand(flow):
    """The experiment's own, those of the models that it takes, and the number of replicates."""
    for place, old, new in (
        ("replications/flow_matching/settings.yaml", "gradients:\n  all: {", "gradients:\n  all: {points: 63, "),
        ("common/settings.yaml", "  laptop: {data: digits, steps:", "  laptop: {batch: 127, data: digits, steps:"),
        ("config/config.yaml", "laptop: 5", "laptop: 6"),
    ):
        file = flow.folder.parents[1] / place
        text = file.read_text()
        assert old in text, (place, old)
        file.write_text(text.replace(old, new))
        parts = named(flow)
        assert parts and set(map(tuple, parts.values())) == {("settings",)}
        assert ("gradients-agree-ot" in parts) == (place != "common/settings.yaml")
        assert ("rank-frechet" in parts) == ("replications" not in place)
        file.write_text(text)
        assert named(flow) == {}


def test_smoke_settings_judge_nothing_and_may_change(flow):
    file = flow.folder / "settings.yaml"
    text = file.read_text()
    start = text.index("  smoke: {points: 16")
    file.write_text(text[:start] + text[start:].replace("points: 16", "points: 17", 1))
    assert named(flow) == {}


def test_a_change_with_a_reason_is_allowed_and_still_shown(flow):
    before = next(claim for claim in flow.claims if claim.id == "rank-nfe").amended
    changed = with_claim(flow, "rank-nfe", range=(None, 1.5), amended=[*before, AMENDED])
    assert named(changed) == {"rank-nfe": ["range"]} and changes(changed).problems == []
    # one reason does not cover the next change: registered again, the same entry is an old one
    shutil.copy(flow.folder / registration.LOCK, flow.folder / "old")
    register(changed, date="2026-02-01", base_seed=1807, results=flow.folder / "none")
    assert changes(changed).problems == []
    assert len(changes(with_claim(changed, "rank-nfe", range=(None, 2.5))).problems) == 1


def test_a_claim_that_is_new_or_gone_needs_a_reason(flow):
    new = flow.claims[0].model_copy(update={"id": "newcomer", "amended": []})
    more = flow.model_copy(update={"claims": [*flow.claims, new]})
    more._folder = flow.folder
    assert "'newcomer': is not among those registered" in changes(more).problems[0]
    fewer = flow.model_copy(update={"claims": flow.claims[1:]})
    fewer._folder = flow.folder
    assert "is gone; list it under `withdrawn`" in changes(fewer).problems[0]
    given_up = Withdrawn(id=flow.claims[0].id, **AMENDED.model_dump())
    fewer = fewer.model_copy(update={"withdrawn": [*flow.withdrawn, given_up]})
    fewer._folder = flow.folder
    assert changes(fewer).problems == []


def test_a_base_seed_that_was_looked_at_is_refused(flow, tmp_path):
    with pytest.raises(SettingsError, match="base_seed: 1806: runs of flow_matching with it have been looked at"):
        register(flow, date="2026-02-01", base_seed=1806)
    with pytest.raises(SettingsError, match=r"base_seed: 5: runs .* looked at"):
        register(flow, date="2026-02-01", base_seed=5, looked_at=[5])
    run = tmp_path / "results" / "laptop" / "flow_matching" / "gradients" / "default" / "seed0"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"base_seed": 42}')
    with pytest.raises(SettingsError, match=r"base_seed: 42: .*seed0 was run with it already"):
        register(flow, date="2026-02-01", base_seed=42, results=tmp_path / "results")
    lock = register(flow, date="2026-02-01", base_seed=4, results=tmp_path / "results")
    assert lock.looked_at == [1806]


def test_another_rule_is_noticed_and_a_damaged_lock_named(flow):
    file: Path = flow.folder / registration.LOCK
    text = file.read_text()
    file.write_text(text.replace("confidence: 0.9", "confidence: 0.95"))
    assert "verdicts are now given by" in changes(flow).problems[0]
    file.write_text(text.replace("base_seed: 1806", "base_seed: many"))
    with pytest.raises(SettingsError, match=r"registered\.lock: base_seed: .*take it back from git"):
        read(flow)
    file.unlink()
    assert "make register" in changes(flow).problems[0]


def test_digests_do_not_depend_on_what_stands_around_a_claim(flow):
    claim = flow.claims[0]
    assert current(flow, claim) == current(flow, claim.model_copy(update={"statement": "Otherwise said.", "note": "Aside."}))
