import numpy as np
import pytest
from inception_stand_in import CLASSES, GAIN, put_weights

from common.errors import DataError, RetraceError
from common.measure.metrics.inception_score import class_probabilities, inception_score

# the file is TorchScript, which new versions of torch still read but call deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")


def confident(labels: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[labels]


def drawn(n: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), n)


@pytest.mark.parametrize("splits", [1, 10])
def test_one_answer_for_all_images_scores_one(splits):
    assert inception_score(np.full((40, 1008), 1 / 1008), splits=splits) == pytest.approx((1, 0), abs=1e-12)
    assert inception_score(confident([3] * 40, 10), splits=splits) == pytest.approx((1, 0), abs=1e-12)


@pytest.mark.parametrize("k", [2, 5])
def test_confident_balanced_answers_score_their_number_of_classes(k):
    assert inception_score(confident(list(range(k)) * 20, 7)) == pytest.approx((k, 0), rel=1e-12)


def test_two_answers_in_closed_form():
    a = 0.8  # (a, 1 - a) and (1 - a, a): 2 a^a (1 - a)^(1 - a)
    p = np.array([[a, 1 - a], [1 - a, a]])
    assert inception_score(p, splits=1).mean == pytest.approx(2 * a**a * (1 - a) ** (1 - a), rel=1e-14)
    # confident, one to three: the marginal's perplexity. The other KL would be infinite here
    assert inception_score(confident([0, 1, 1, 1], 2), splits=1).mean == pytest.approx(4 / 3**0.75, rel=1e-14)


def test_parts_are_runs_of_rows_with_marginals_of_their_own():
    p = confident([0] * 6 + [0, 1, 2] * 2, 3)  # parts that score 1 and 3
    assert inception_score(p, splits=2) == pytest.approx((2, 1), rel=1e-12)
    uneven = confident([0, 0, 0, 1, 2, 3, 4], 5)  # three rows and four
    assert inception_score(uneven, splits=2) == pytest.approx((2.5, 1.5), rel=1e-12)


def test_ten_parts_unless_told_otherwise():
    p = drawn(100, 6)
    scores = [inception_score(part, splits=1).mean for part in np.split(p, 10)]
    assert inception_score(p) == pytest.approx((np.mean(scores), np.std(scores)), rel=1e-12)


def test_the_order_within_a_part_and_of_the_classes_does_not_matter():
    p, rng = drawn(60, 8), np.random.default_rng(1)
    shuffled = np.concatenate([rng.permutation(part) for part in np.split(p, 3)])[:, rng.permutation(8)]
    assert inception_score(shuffled, splits=3) == pytest.approx(inception_score(p, splits=3), rel=1e-12)
    assert inception_score(rng.permutation(p), splits=3).mean != pytest.approx(inception_score(p, splits=3).mean, rel=1e-6)


def test_single_precision_is_summed_in_double():
    p = drawn(50, 1008).astype(np.float32)
    assert inception_score(p) == pytest.approx(inception_score(p.astype(np.float64)), rel=1e-14)


@pytest.mark.parametrize("row", [[np.nan, 1.0], [np.inf, 0.0], [1.2, -0.2], [0.3, 0.3], [4.0, -1.0]])
def test_rows_that_are_no_distribution_are_refused(row):
    p = np.array([[0.5, 0.5], [0.5, 0.5], row])
    with pytest.raises(RetraceError, match=r"1 of 3 rows \(the first is row 2\) .*give probabilities, after the softmax"):
        inception_score(p, splits=1)


@pytest.mark.parametrize("splits", [0, 5])
def test_every_part_needs_an_image(splits):
    with pytest.raises(RetraceError, match=f"4 images in {splits} parts: give every part an image"):
        inception_score(drawn(4, 3), splits=splits)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    return put_weights(tmp_path, monkeypatch)


def expected(colours: list[float], width: int) -> np.ndarray:
    """Return the stand-in's answer to an image of one colour: no bias, pixels as they are, at the size that they have."""
    logits = np.zeros(CLASSES)
    logits[:6] = GAIN * np.tile((np.array(colours) - 128) / 128, 2)
    logits[8] = width / 299
    return np.exp(logits) / np.exp(logits).sum()


def flat(colours: list[float], width: int, n: int = 1) -> np.ndarray:
    return np.broadcast_to(np.array(colours, np.uint8)[None, :, None, None], (n, len(colours), 8, width))


@pytest.mark.parametrize("width", [8, 32])
def test_probabilities_are_those_of_the_file_at_the_images_own_size_without_bias(weights, width):
    found = class_probabilities(flat([0, 128, 255], width, n=3), batch=2)
    assert found.shape == (3, CLASSES) and found.dtype == np.float64
    np.testing.assert_allclose(found, [expected([0, 128, 255], width)] * 3, rtol=1e-5)


def test_grey_images_are_repeated_and_others_refused(weights):
    np.testing.assert_allclose(class_probabilities(flat([200], 8)), [expected([200] * 3, 8)], rtol=1e-5)
    with pytest.raises(RetraceError, match="the Inception score needs images of 1 or 3 channels, not 4"):
        class_probabilities(flat([1, 2, 3, 4], 8))


def test_answers_stay_with_their_images_across_batches(weights):
    images = np.concatenate([flat([20 * item, 0, 0], 8) for item in range(5)])
    found = class_probabilities(images, batch=2)
    np.testing.assert_allclose(found, [expected([20 * item, 0, 0], 8) for item in range(5)], rtol=1e-5)
    assert 1 < inception_score(found, splits=1).mean < 5


def test_weights_are_checked_in_the_scores_name(weights, tmp_path, monkeypatch):
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(DataError, match="not the published weights"):
        class_probabilities(flat([0], 8))
    weights.unlink()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"the Inception score needs inception-2015-12-05\.pt, found in none of"):
        class_probabilities(flat([0], 8))
