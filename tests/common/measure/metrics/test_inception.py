import numpy as np
import pytest
from inception_stand_in import put_weights

from common.errors import DataError, RetraceError
from common.measure.metrics import inception
from common.measure.metrics.frechet import frechet_distance

# clean-fid's file is TorchScript, which new versions of torch still read but call deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")


@pytest.fixture
def weights(tmp_path, monkeypatch):
    return put_weights(tmp_path, monkeypatch)


def images(n: int, channels: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, channels, 8, 8)).astype(np.uint8)


def test_features_of_constant_images_are_their_scaled_colours(weights):
    flat = np.broadcast_to(np.array([0, 128, 255], np.uint8)[None, :, None, None], (2, 3, 8, 8))
    features = inception.inception_features(flat, batch=1)
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features[:, :3], [[-1, 0, 127 / 128]] * 2, atol=1e-6)


def test_rows_stay_rows(weights):
    upper = np.zeros((1, 3, 8, 8), np.uint8)
    upper[:, :, :4] = 128
    features = inception.inception_features(upper)
    # -1 is black, 0 is 128; the resize blurs one edge
    np.testing.assert_allclose(features[0, :6], [-0.5] * 3 + [0] * 3, atol=0.05)


def test_grey_images_are_repeated_in_three_channels(weights):
    grey = images(3, 1, seed=0)
    np.testing.assert_array_equal(inception.inception_features(grey), inception.inception_features(np.repeat(grey, 3, axis=1)))


def test_features_do_not_depend_on_the_batch(weights):
    a, b = images(5, 3, seed=1), images(7, 3, seed=2) // 2
    np.testing.assert_allclose(inception.inception_features(a, batch=2), inception.inception_features(a), rtol=1e-5, atol=1e-6)
    assert frechet_distance(inception.inception_features(a), inception.inception_features(b)) > 0.1


def test_other_channels_are_refused(weights):
    with pytest.raises(RetraceError, match="1 or 3 channels, not 4"):
        inception.inception_features(images(2, 4, seed=0))


def test_missing_weights_say_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path / "given"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"needs inception-2015-12-05\.pt, found in none of .*given, data, .*elsewhere; put http"):
        inception.find_weights()


def test_altered_weights_are_refused(weights):
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(DataError, match=r"inception-2015-12-05\.pt: not the published weights .*delete it"):
        inception.find_weights()
