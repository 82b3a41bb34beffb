import pytest
import torch

from common.learning.nets.build import build_backbone
from common.learning.nets.mlp import parameter_count
from common.runs import settings as settings_of
from replications.flow_matching.paper_networks import NETWORKS, SHAPES

# counted once; a change of the U-Net that moves them changes what "paper level" means
PARAMETERS = {"cifar10": 171_268_099, "imagenet32": 228_149_507, "imagenet64": 295_131_267, "imagenet128": 542_804_483}


@pytest.mark.parametrize("name", NETWORKS)
def test_paper_networks_can_be_built(name):
    with torch.device("meta"):  # shapes without memory
        network = build_backbone(NETWORKS[name], SHAPES[name], seed=0)
    assert parameter_count(network) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_one_optimisation_step_at_full_size(name):
    """All shapes of forward pass, backward pass and Adam, without memory or arithmetic."""
    with torch.device("meta"):
        network = build_backbone(NETWORKS[name], SHAPES[name], seed=0)
        x, t = torch.empty(2, *SHAPES[name]), torch.empty(2)
    optimiser = torch.optim.Adam(network.parameters(), foreach=False)
    out = network(x, t)
    out.square().mean().backward()
    optimiser.step()
    assert out.shape == x.shape
    assert all(parameter.grad.shape == parameter.shape for parameter in network.parameters())
    assert len(optimiser.state) == len(list(network.parameters()))


@pytest.mark.parametrize("name", NETWORKS)
def test_one_optimisation_step_of_a_narrow_one(name):
    """The same depth, resolutions and attention with few channels."""
    narrow = NETWORKS[name].model_copy(update={"channels": 8, "head_channels": 8})
    network = build_backbone(narrow, SHAPES[name], seed=0)
    x = torch.randn(1, *SHAPES[name], generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        loss = (network(x, torch.full((1,), 0.5)) - x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_the_settings_of_the_paper_level_are_these():
    settings = settings_of.resolve("common", "train", "paper", ["data=cifar10"])
    assert settings.data == "cifar10" and settings.backbone == NETWORKS["cifar10"]
