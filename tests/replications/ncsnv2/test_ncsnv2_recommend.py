"""The command that recommends settings: data of every kind, what a person and a script read, and what is wrong with data."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import pdist

from common.learning.data import catalogue
from common.runs.settings import ROOT
from replications.ncsnv2 import own_images, pairwise_distances
from replications.ncsnv2.noise_levels import number_of_levels, shell_mass
from replications.ncsnv2.recommend import main
from replications.ncsnv2.step_size import best_step_size, variance_ratio


def grey(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)


def answered(capsys, *arguments):
    status = main([*map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert status == 0 and captured.err == ""
    return json.loads(captured.out)


def largest(images, unit):
    return pytest.approx(unit * pdist(images.reshape(len(images), -1).astype(np.float64)).max(), rel=1e-6)


def test_the_digits(capsys):
    found = answered(capsys, "--data", "digits")
    images = catalogue.load("digits", "train").images.numpy()
    assert found["sigma_max"] == largest(images, 1 / 17) and 4 < found["sigma_max"] < 5
    assert found["images"] == found["compared"] == len(images) and found["dimensions"] == 64 and found["shape"] == [1, 8, 8]
    assert 0.5 < found["median_distance"] / found["sigma_max"] < 0.8
    count = number_of_levels(found["sigma_max"], 0.01, 64)
    levels = np.array(found["noise_levels"])
    assert found["levels"] == len(levels) == count and found["sigma_min"] == 0.01
    np.testing.assert_allclose(levels[[0, -1]], [found["sigma_max"], 0.01], rtol=1e-12)
    np.testing.assert_allclose(levels[:-1] / levels[1:], found["ratio"], rtol=1e-9)
    assert found["mass"] == pytest.approx(shell_mass(64, found["ratio"])) and 0.45 < found["mass"] < 0.567
    assert found["steps_per_level"] == 5 and found["evaluations"] == 5 * count + 1
    step = best_step_size(found["ratio"], 5, 0.01)
    assert (found["eps"], found["rho"]) == pytest.approx((step.eps, step.rho)) and found["eps"] == pytest.approx(
        found["rho"] * 1e-4
    )
    assert found["variance_ratio"] == pytest.approx(variance_ratio(found["ratio"], found["rho"], 5))
    assert found["ema_decay"] == 0.999 and found["denoise_last"] is True and found["conditioning"] == "s(x, sigma) = h(x) / sigma"


def test_options_change_what_they_name(capsys):
    base = answered(capsys, "--data", "digits")
    least = answered(capsys, "--data", "digits", "--sigma-min", 0.02)
    assert least["noise_levels"][-1] == pytest.approx(0.02) and least["levels"] < base["levels"]
    assert least["eps"] == pytest.approx(least["rho"] * 4e-4)
    assert answered(capsys, "--data", "digits", "--mass", 0.9)["levels"] > 1.5 * base["levels"]
    more = answered(capsys, "--data", "digits", "--steps-per-level", 50)
    assert more["evaluations"] == 50 * base["levels"] + 1 and 1 < more["variance_ratio"] < base["variance_ratio"]
    other = answered(capsys, "--data", "digits", "--seed", 1)
    assert other["sigma_max"] == base["sigma_max"] and other["median_distance"] != base["median_distance"]


def test_what_a_person_reads(capsys):
    assert main(["--data", "digits"]) == 0
    text, found = capsys.readouterr().out, answered(capsys, "--data", "digits")
    assert text.startswith("digits: 1147 images of 1x8x8 = 64 numbers, grey value v of 17 as (v + 1/2) / 17.\n")
    for line in (
        f"1  largest noise   sigma_1 = {found['sigma_max']:.4g}\n",
        f"the median is {found['median_distance']:.4g}.",
        f"2  levels          sigma_L = 0.01, L = {found['levels']}, geometric with ratio {found['ratio']:.5g}\n",
        f"Each level puts {found['mass']:.3f} of its mass on the shell of the level before",
        "0.567 was asked for",
        "3  conditioning    s(x, sigma) = h(x) / sigma\n",
        f"4  sampling        T = 5 steps at each level, eps = {found['eps']:.3g} (rho = eps / sigma_L^2 = {found['rho']:.4g})\n",
        f"with {found['variance_ratio']:.4f} times the variance",
        "5  averaging       sample from a moving average of the weights, decay 0.999\n",
        f"A sample takes L T + 1 = {found['evaluations']} network evaluations.\n",
    ):
        assert line in text, line
    assert re.search(r"a share of at most 1e-18 in", text) and "compared" not in text
    assert "None" not in text and "{" not in text and max(map(len, text.split("\n"))) <= 120


def test_a_folder_of_pictures(tmp_path, capsys):
    (tmp_path / "more").mkdir()
    images = grey(5, 6, 4, 3)
    for number, name in enumerate(["a.png", "b.PNG", "more/c.webp", "d.png", "e.png"]):
        Image.fromarray(images[number]).save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    (tmp_path / "notes.txt").write_text("no picture")
    found = answered(capsys, "--data", tmp_path)
    assert found["shape"] == [6, 4, 3] and found["images"] == 5 and found["sigma_max"] == largest(images, 1 / 256)
    assert found["reading"] == "grey value v of 256 as (v + 1/2) / 256"


def test_grey_pictures_have_one_channel_if_all_are_grey(tmp_path, capsys):
    images = grey(3, 6, 4)
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    found = answered(capsys, "--data", tmp_path)
    assert found["shape"] == [6, 4] and found["dimensions"] == 24 and found["sigma_max"] == largest(images, 1 / 256)
    Image.fromarray(grey(1, 6, 4, 3)[0]).save(tmp_path / "colour.png")
    assert answered(capsys, "--data", tmp_path)["dimensions"] == 72


def test_of_very_many_pictures_only_the_subset_is_decoded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pairwise_distances, "LARGE", 10)
    monkeypatch.setattr(pairwise_distances, "SUBSET", 6)
    for number, image in enumerate(grey(11, 5, 5)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    decoded, mode = [], own_images._mode
    monkeypatch.setattr(own_images, "_mode", lambda file: decoded.append(file) or mode(file))
    found = answered(capsys, "--data", tmp_path)
    assert (found["images"], found["compared"], len(decoded)) == (11, 6, 6)
    assert main(["--data", str(tmp_path)]) == 0 and "; a random 6 of them were compared." in capsys.readouterr().out


ARRAYS = {
    "grey": (grey(6, 5, 4), 1 / 256, "grey value v of 256 as (v + 1/2) / 256"),
    "colour": (grey(6, 3, 5, 4), 1 / 256, "grey value v of 256 as (v + 1/2) / 256"),
    "channels last": (grey(6, 5, 4, 3), 1 / 256, "grey value v of 256 as (v + 1/2) / 256"),
    "unit floats": (grey(6, 5, 4) / 255, 1.0, "floats in [0, 1]"),
    "signed floats": (np.float32(grey(6, 5, 4) / 127.5 - 1), 0.5, "floats in [-1, 1]"),
    "half floats": (np.float16(grey(6, 5, 4) / 255), 1.0, "floats in [0, 1]"),
    "other byte order": ((grey(6, 5, 4) / 255).astype(">f4"), 1.0, "floats in [0, 1]"),
    "columns first": (np.asfortranarray(grey(6, 5, 4) / 255), 1.0, "floats in [0, 1]"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_npy_file(kind, tmp_path, capsys):
    images, unit, reading = ARRAYS[kind]
    np.save(tmp_path / "images.npy", images)
    before = (tmp_path / "images.npy").read_bytes()
    found = answered(capsys, "--data", tmp_path / "images.npy")
    assert found["sigma_max"] == largest(np.ascontiguousarray(images, images.dtype.newbyteorder("=")), unit)
    assert found["reading"] == reading and found["shape"] == list(images.shape[1:])
    assert (tmp_path / "images.npy").read_bytes() == before


def test_one_image_that_is_out_of_range_is_found(tmp_path, capsys, monkeypatch):
    """Whichever block it is in."""
    monkeypatch.setattr(own_images, "BLOCK", 40)
    images = np.full((9, 5, 4), 0.5) * np.arange(9)[:, None, None] / 9
    for value in (1.5, -1.5, np.nan, -0.5):
        np.save(tmp_path / "images.npy", np.where(np.arange(9)[:, None, None] == 8, value, images))
        assert main(["--data", str(tmp_path / "images.npy"), "--json"]) == (0 if value == -0.5 else 2)
    assert '"reading": "floats in [-1, 1]"' in capsys.readouterr().out


def folder_of(tmp_path, *pictures):
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    return tmp_path


def saved(tmp_path, array):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    return tmp_path / "x.npy"


def written(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


WRONG = {
    "no such data set": (lambda folder: "digit", r"digit: no folder of pictures, no \.npy file .* did you mean 'digits'\?"),
    "no such file": (lambda folder: folder / "none.npy", r"none\.npy: no such file$"),
    "no pictures": (lambda folder: folder, r"no \.jpg, \.jpeg, \.png, \.webp files at any depth; name the folder"),
    "two sizes": (
        lambda folder: folder_of(folder, Image.new("RGB", (4, 6)), Image.new("RGB", (4, 5))),
        r"1\.png: 4x5 pixels, but 0\.png has 4x6; bring all pictures to one size",
    ),
    "a damaged picture": (
        lambda folder: folder_of(folder, Image.new("L", (4, 6))) / written(folder, "z.png", b"\x89PNG\r\n\x1a\nxx").parent,
        r"z\.png: cannot be read .*; get it again, or remove it",
    ),
    "deep greys": (lambda folder: folder_of(folder, Image.new("I;16", (4, 6))), r"0\.png: grey values of more than 8 bits"),
    "one picture": (lambda folder: folder_of(folder, Image.new("L", (4, 6))), r": there is only one image.*give more"),
    "the same pictures": (lambda folder: folder_of(folder, *[Image.new("L", (4, 6))] * 2), r": all 2 images are the same"),
    "no array": (lambda folder: written(folder, "x.npy", b"text"), r"x\.npy: cannot be read as a \.npy file .*numpy\.save"),
    "an empty file": (lambda folder: written(folder, "x.npy", b""), r"x\.npy: cannot be read as a \.npy file"),
    "objects": (lambda folder: saved(folder, np.array([{}, None])), r"x\.npy: cannot be read as a \.npy file .*no objects"),
    "rows": (lambda folder: saved(folder, grey(6, 5)), r"x\.npy: has the shape \[6, 5\], and images have \[n, height, width\]"),
    "no channels": (lambda folder: saved(folder, grey(6, 5, 5, 5)), r"x\.npy: has the shape \[6, 5, 5, 5\]"),
    "nothing": (lambda folder: saved(folder, grey(0, 5, 5)), r"x\.npy: has the shape \[0, 5, 5\]"),
    "integers": (lambda folder: saved(folder, grey(6, 5, 4).astype(int)), r"x\.npy: holds int64; save grey values as uint8"),
    "grey floats": (
        lambda folder: saved(folder, grey(6, 5, 4) * 1.0),
        r"x\.npy: floats from 0 to 25\d; bring them into \[0, 1\]",
    ),
    "not a number": (lambda folder: saved(folder, np.full((6, 5, 4), np.nan)), r"x\.npy: floats from nan to nan; .*nan"),
    "few numbers": (lambda folder: saved(folder, grey(6, 2, 2)), r"4 dimensions: .*choose the ladder by hand"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_data_is_named(what, tmp_path, capsys):
    make, message = WRONG[what]
    assert main(["--data", str(make(tmp_path))]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and re.search(rf"^error: .*{message}", captured.err.rstrip(), re.MULTILINE), captured.err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sigma-min", "9", r"sigma_min = 9: must be above 0 and below the largest noise level, 4\.\d+"),
        ("--sigma-min", "nan", r"sigma_min = nan: "),
        ("--mass", "1", r"mass = 1: must be above 0 and below 0\.9973"),
        ("--steps-per-level", "0", r"steps_per_level = 0: must be above 0"),
    ],
)
def test_impossible_options_are_named(option, value, message, capsys):
    assert main(["--data", "digits", option, value]) == 2
    assert re.search(rf"^error: {message}", capsys.readouterr().err)


def test_the_command_and_its_help_load_nothing_heavy():
    code = (
        "import sys; sys.argv = ['', 'recommend', '--help']\n"
        "import runpy\n"
        "try: runpy.run_module('replications.ncsnv2', run_name='__main__')\n"
        "except SystemExit as end: status = end.code\n"
        "print(status, *[name for name in ('torch', 'scipy', 'numpy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0" and "python -m replications.ncsnv2 recommend --data digits" in done.stdout
    assert "double every noise level" in done.stdout
