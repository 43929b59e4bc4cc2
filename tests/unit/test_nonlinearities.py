"""One name, one function: on arrays, as a module, and with its slope."""

import typing

import pytest
import torch

from ontogeny.connectome.settings import FitSettings
from ontogeny.models.settings import GateModelSettings, ModelSettings
from ontogeny.nonlinearities import NONLINEARITIES, apply_nonlinearity
from ontogeny.nonlinearities.torch import MODULES, SLOPES

Z = torch.linspace(-30, 30, 241, dtype=torch.float64)


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_modules_and_arrays_agree(name):
    torch.testing.assert_close(MODULES[name]()(Z), torch.from_numpy(apply_nonlinearity(Z.numpy(), name)))


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_the_derivatives(name):
    z = Z.clone().requires_grad_()
    function, slope = SLOPES[name]
    value = function(z)
    torch.testing.assert_close(value.detach(), MODULES[name]()(Z))
    (derivative,) = torch.autograd.grad(value.sum(), z)
    torch.testing.assert_close(slope(Z, value.detach()).expand_as(Z), derivative)


@pytest.mark.parametrize("settings", [ModelSettings, GateModelSettings, FitSettings])
def test_every_choice_of_a_configuration_is_there(settings):
    annotation = settings.model_fields["activation"].annotation
    choices = {name for part in (annotation, *typing.get_args(annotation)) for name in typing.get_args(part)}
    assert {name for name in choices if isinstance(name, str)} <= set(MODULES)
