"""A number names the code that it comes from, and no other."""

import shutil
import subprocess

import pytest

from common.runs import provenance


@pytest.fixture
def repository(tmp_path, monkeypatch):
    def git(*words, where=tmp_path):
        options = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", "-C", str(where), *options, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (tmp_path / "a.txt").write_text("1")
    git("add", "-A")
    git("commit", "-qm", "a")
    monkeypatch.setattr(provenance, "ROOT", tmp_path.resolve())
    provenance.commit.cache_clear()
    yield git
    provenance.commit.cache_clear()


def found():
    provenance.commit.cache_clear()
    return provenance.commit()


def test_a_clean_tree_and_one_with_changes(repository, tmp_path):
    clean = repository("rev-parse", "--short=12", "HEAD").strip()
    assert found() == clean
    (tmp_path / "new.txt").write_text("2")
    assert found() == f"{clean}+", "a file that is not in the commit"
    (tmp_path / "new.txt").unlink()
    (tmp_path / "a.txt").write_text("2")
    assert found() == f"{clean}+"


def test_a_copy_inside_another_repository_is_not_that_repository(repository, tmp_path, monkeypatch):
    (tmp_path / "copy").mkdir()
    monkeypatch.setattr(provenance, "ROOT", (tmp_path / "copy").resolve())
    assert found() == "unknown"


def test_variables_of_git_name_nobody_elses_repository(repository, tmp_path, monkeypatch):
    other = tmp_path.parent / f"{tmp_path.name}-other"
    shutil.copytree(tmp_path, other)
    repository("commit", "-q", "--allow-empty", "-m", "b", where=other)
    expected = found()
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert found() == expected
