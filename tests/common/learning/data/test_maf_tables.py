"""MAF's tables from a small archive in the published format, against the authors' steps taken one by one."""

import csv
import io
import tarfile
from hashlib import md5
from urllib.error import URLError

import h5py
import numpy as np
import pytest
import torch
from old_pandas import pickled

from common.errors import DataError
from common.learning.data import maf_tables
from common.learning.data.__main__ import main
from common.learning.data.tables import load_table

REMEDY = (
    r"run `python -m common.learning.data power`, with `--source DIR` where DIR has MAF's data.tar.gz \(Zenodo, record 1161203"
)


def saved(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def hdf5(parts) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for name, rows in parts.items():
            file[name] = rows
    return out.getvalue()


def text(header: list[str], rows: np.ndarray) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([header, *([f"{value:.18e}" for value in row] for row in rows)])
    return out.getvalue().encode()


@pytest.fixture(scope="module")
def raw():
    """What the archive's files hold."""
    rng = np.random.default_rng(0)
    sensor = rng.normal(size=(60, 3))
    gas = {
        "Time": np.arange(60.0),
        "Meth": rng.normal(size=60),
        "Eth": rng.normal(size=60),
        "R1": sensor[:, 0],
        "R2": 100 * sensor[:, 0] + rng.normal(size=60),
        "R3": -sensor[:, 0],
        "R4": sensor[:, 1] + 5,
    }
    hepmass = {"train": rng.normal(size=(90, 5)), "test": rng.normal(size=(40, 6)) + 3}
    for rows in hepmass.values():
        rows[:, 0] = rng.integers(2, size=len(rows))
    hepmass["train"][:, 2] = rng.integers(3, size=90)  # what the trigger counted
    hepmass["train"][:30, 3] = 9.0  # common, but not the least
    return {
        "power": np.round(rng.normal(size=(40, 8)) * 50),
        "gas": gas,
        "hepmass": hepmass,
        "miniboone": 7 + 3 * rng.normal(size=(50, 4)),
        "bsds300": {name: rng.normal(size=(n, 3)) for name, n in (("train", 6), ("validation", 2), ("test", 4))},
    }


@pytest.fixture(scope="module")
def files(raw):
    header = ["# label", "f0", "f1", "f2", "f3"]
    return {
        "data/power/._data.npy": b"what macOS adds",
        "data/power/data.npy": saved(raw["power"]),
        "data/cifar10/data.npy": b"not a table",
        "data/gas/ethylene_CO.pickle": pickled(raw["gas"]),
        "data/hepmass/1000_test.csv": text([*header, "mass"], raw["hepmass"]["test"]),
        "data/hepmass/1000_train.csv": text(header, raw["hepmass"]["train"]),
        "data/miniboone/data.npy": saved(raw["miniboone"]),
        "data/BSDS300/BSDS300.hdf5": hdf5(raw["bsds300"]),
    }


def write(path, files, monkeypatch) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(maf_tables, "MD5", md5(path.read_bytes()).hexdigest())


@pytest.fixture
def root(tmp_path, monkeypatch, raw):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "own"))
    monkeypatch.setattr("common.learning.data.images.SYSTEM_ROOT", tmp_path / "system")
    signal = {name: int(rows[:, 0].sum()) for name, rows in raw["hepmass"].items()}
    held = int(0.1 * signal["train"])
    small = {
        "power": (6, (33, 3, 4)),
        "gas": (3, (49, 5, 6)),
        "hepmass": (3, (signal["train"] - held, held, signal["test"])),
        "miniboone": (4, (41, 4, 5)),
        "bsds300": (3, (6, 2, 4)),
    }
    for name, (columns, rows) in small.items():
        monkeypatch.setitem(maf_tables.TABLES, name, maf_tables.TABLES[name]._replace(columns=columns, rows=rows))
    return tmp_path


@pytest.fixture
def source(root, files, monkeypatch):
    write(root / "published" / "data.tar.gz", files, monkeypatch)
    return root / "published"


def splits(name, source):
    maf_tables.prepare(source, name)
    found = [load_table(name, split) for split in ("train", "validation", "test")]
    assert all(part.dtype == torch.float32 for part in found)
    assert [len(part) for part in found] == list(maf_tables.TABLES[name].rows)
    return [part.double().numpy() for part in found]


def scaled(rows, seen, ddof):
    return (rows - seen.mean(0)) / seen.std(0, ddof=ddof)


def test_power(source, raw):
    order, random = np.arange(40), np.random.RandomState(42)
    random.shuffle(order)
    voltage, active, meters = random.rand(40), random.rand(40), random.rand(40, 3)
    rows = raw["power"][order]
    parts = [rows[:, 0] + 0.001 * active, rows[:, 2] + 0.01 * voltage]
    parts += [rows[:, 4 + meter] + meters[:, meter] for meter in range(3)]
    expected = np.stack([*parts, rows[:, 7]], 1)
    expected = scaled(expected, expected[:36], 0)
    for found, part in zip(splits("power", source), (expected[:33], expected[33:36], expected[36:])):
        np.testing.assert_allclose(found, part, rtol=1e-6, atol=1e-6)


def test_gas_is_scaled_by_all_its_rows(source, raw):
    expected = np.stack([raw["gas"][name] for name in ("R2", "R3", "R4")], 1)
    expected = scaled(expected, expected, 1)
    for found, part in zip(splits("gas", source), (expected[:49], expected[49:54], expected[54:])):
        np.testing.assert_allclose(found, part, rtol=1e-6, atol=1e-6)


def test_hepmass_keeps_the_signal_and_is_scaled_by_training_and_validation_rows(source, raw):
    train, test = (rows[rows[:, 0] == 1][:, [1, 3, 4]] for rows in raw["hepmass"].values())
    held = int(0.1 * len(train))
    expected = [scaled(rows, train, 1) for rows in (train[:-held], train[-held:], test)]
    for found, part in zip(splits("hepmass", source), expected):
        np.testing.assert_allclose(found, part, rtol=1e-6, atol=1e-6)


def test_miniboone_is_scaled_by_training_and_validation_rows(source, raw):
    expected = scaled(raw["miniboone"], raw["miniboone"][:45], 0)
    for found, part in zip(splits("miniboone", source), (expected[:41], expected[41:45], expected[45:])):
        np.testing.assert_allclose(found, part, rtol=1e-6, atol=1e-6)


def test_bsds300_is_as_published(source, raw):
    for found, part in zip(splits("bsds300", source), raw["bsds300"].values()):
        np.testing.assert_allclose(found, part, rtol=1e-6)


def test_the_replicate_changes_nothing(source):
    maf_tables.prepare(source, "miniboone")
    assert torch.equal(load_table("miniboone", "test", 0), load_table("miniboone", "test", 3))


def test_what_was_never_prepared_says_how(root):
    with pytest.raises(DataError, match=rf"power: digests.json not found in .*own/power, data/power.*; {REMEDY}"):
        load_table("power", "train")


def test_a_flipped_byte_is_named_with_its_remedy(source):
    folder = maf_tables.prepare(source, "power")
    content = bytearray((folder / "test.npy").read_bytes())
    content[-1] ^= 1
    (folder / "test.npy").write_bytes(content)
    assert len(load_table("power", "train")) == 33
    with pytest.raises(DataError, match=rf"test.npy: has changed since it was prepared .*delete .*power and {REMEDY}"):
        load_table("power", "test")


def test_another_archive_is_an_error_before_anything_is_unpacked(source, root):
    with (source / "data.tar.gz").open("ab") as file:
        file.write(b"0")
    with pytest.raises(DataError, match=rf"published/data.tar.gz: not MAF's published archive \(its MD5 is not .*{REMEDY}"):
        maf_tables.prepare(source, "power")
    with pytest.raises(DataError, match=rf"nowhere/data.tar.gz: not found; {REMEDY}"):
        maf_tables.prepare(root / "nowhere", "power")
    assert not (root / "own").exists()


def test_an_archive_that_cannot_be_read_or_lacks_a_file_is_an_error(source, files, monkeypatch):
    path = source / "data.tar.gz"
    path.write_bytes(path.read_bytes()[:-500])
    monkeypatch.setattr(maf_tables, "MD5", md5(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"data.tar.gz: cannot be read .*get it again"):
        maf_tables.prepare(source, "bsds300")
    write(path, {"data/hepmass/1000_train.csv": files["data/hepmass/1000_train.csv"]}, monkeypatch)
    with pytest.raises(DataError, match=r"data.tar.gz: has no hepmass/1000_test.csv; get it again"):
        maf_tables.prepare(source, "hepmass")


def test_other_rows_or_columns_than_published_are_an_error(source, root, monkeypatch):
    monkeypatch.setitem(maf_tables.TABLES, "gas", maf_tables.TABLES["gas"]._replace(columns=8))
    with pytest.raises(DataError, match=r"gas: prepared as \[\(49, 3\), .*not the published 8 columns of .*requirements.lock"):
        maf_tables.prepare(source, "gas")
    assert not (root / "own").exists()


def test_the_archive_is_downloaded_where_no_source_is_given(root, files, monkeypatch, capsys):
    asked = []

    def fake(url, folder, file, digest):
        asked.append((url, folder, file, digest))
        write(folder / file, files, monkeypatch)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fake)
    monkeypatch.setattr("sys.argv", ["data", "miniboone"])
    expected = maf_tables.MD5
    assert main() == 0
    assert "miniboone: 41 train, 4 validation, 5 test rows, every file as prepared" in capsys.readouterr().out
    assert asked == [(maf_tables.URL, root / "own" / "maf", "data.tar.gz", expected)]


@pytest.mark.parametrize("error", [URLError("no network"), RuntimeError("File not found or corrupted.")])
def test_a_failed_download_is_an_error(root, monkeypatch, capsys, error):
    def fake(*_):
        raise error

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fake)
    monkeypatch.setattr("sys.argv", ["data", "power"])
    assert main() == 1
    assert "power: could not download https://zenodo.org/" in capsys.readouterr().err


def test_the_command_prepares_from_a_folder(source, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["data", "power", "bsds300", "--source", str(source)])
    assert main() == 0
    out = capsys.readouterr().out
    assert "power: 33 train, 3 validation, 4 test rows" in out and "bsds300: 6 train, 2 validation, 4 test rows" in out


def test_published_facts():
    assert {name: table.columns for name, table in maf_tables.TABLES.items()} == {
        "power": 6,
        "gas": 8,
        "hepmass": 21,
        "miniboone": 43,
        "bsds300": 63,
    }
    for name in ("power", "gas", "miniboone"):
        rows = maf_tables.TABLES[name].rows
        total = sum(rows)
        assert rows[2] == total // 10 and rows[1] == (total - rows[2]) // 10
    train, validation, _ = maf_tables.TABLES["hepmass"].rows
    assert validation == (train + validation) // 10
    assert len(maf_tables.MD5) == 32
