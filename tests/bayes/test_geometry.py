"""Tangent spaces of known surfaces, the two parts of a gradient, attacks that leave the data's surface, chips as samples."""

import math

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, pgd
from holdfast.bayes import Posterior
from holdfast.bayes.geometry import ascend_off, orthogonal_to, split_gradient, tangent_basis
from holdfast.core.errors import InputError
from holdfast.nets import mlp


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rotation(d=8, seed=5):
    return torch.linalg.qr(torch.randn(d, d, generator=generator(seed), dtype=torch.float64))[0]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_on_a_plane_the_tangent_space_is_the_plane_exactly(dim):
    axes = rotation()[:, :dim]
    data = torch.rand(100, dim, generator=generator(), dtype=torch.float64) @ axes.T + 0.3
    basis = tangent_basis(data, data[:10], k=12, dim=dim)
    torch.testing.assert_close(basis @ basis.transpose(1, 2), (axes @ axes.T).expand(10, 8, 8))


def test_a_line_far_from_the_origin_is_a_line():
    # coordinates near 1000 in single precision carry rounding of 6e-5, which is no second direction
    line = 1000 + torch.rand(200, 1, generator=generator()) * torch.tensor([[0.6, 0.8, 0.0]])
    with pytest.raises(InputError, match="vary in fewer directions"):
        tangent_basis(line, line[:5], k=12, dim=2)


def test_neighbours_far_from_the_origin_are_the_nearest():
    circle = torch.stack([torch.linspace(0, 6.28, 400).cos(), torch.linspace(0, 6.28, 400).sin()], 1)
    near = tangent_basis(circle, circle[::40], k=5, dim=1)
    far = tangent_basis(circle + 300, circle[::40] + 300, k=5, dim=1)
    assert float((near * far).sum((1, 2)).abs().min()) > 0.999


def test_on_a_circle_the_tangent_turns_with_the_point():
    # neighbours span an arc of k / 2000 of the circle: their direction deviates from the tangent by at most half of it
    angle = torch.arange(2000) * (2 * math.pi / 2000)
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    points = circle[::97]
    basis = tangent_basis(circle, points, k=11, dim=1)[..., 0]
    tangent = torch.stack([-points[:, 1], points[:, 0]], 1)
    assert float((basis * tangent).sum(1).abs().min()) > math.cos(math.pi * 11 / 2000)


def test_bases_are_orthonormal_and_images_are_taken_as_vectors(digits_small):
    x = digits_small[0].x
    basis = tangent_basis(x, x[:20], k=15, dim=5)
    assert basis.shape == (20, 64, 5)
    torch.testing.assert_close(basis.transpose(1, 2) @ basis, torch.eye(5).expand(20, 5, 5), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 8), (3, 6, 8), (6, 2, 2, 2), (3, 6, 2, 2, 2)])
@pytest.mark.parametrize("shared", [True, False])
def test_the_two_parts_add_up_are_perpendicular_and_lie_where_they_should(shape, shared):
    gradient = torch.randn(shape, generator=generator(), dtype=torch.float64)
    basis = rotation()[:, :3] if shared else torch.stack([rotation(seed=seed)[:, :3] for seed in range(6)])
    split = split_gradient(gradient, basis)
    torch.testing.assert_close(split.tangential + split.orthogonal, gradient)
    along, off = (part.reshape(-1, 6, 8) for part in (split.tangential, split.orthogonal))
    torch.testing.assert_close((along * off).sum(-1), torch.zeros(len(along), 6, dtype=torch.float64))
    own = basis.expand(6, 8, 3) if shared else basis
    torch.testing.assert_close(torch.einsum("snd,nde->sne", off, own), torch.zeros(len(off), 6, 3, dtype=torch.float64))
    torch.testing.assert_close(split_gradient(split.tangential, basis).tangential, split.tangential)


def test_a_shared_basis_equals_one_copy_for_each_input():
    gradient, basis = torch.randn(4, 6, 8, generator=generator()), rotation()[:, :2].float()
    one, many = split_gradient(gradient, basis), split_gradient(gradient, basis.expand(6, 8, 2))
    torch.testing.assert_close(one.orthogonal, many.orthogonal)


def test_an_attack_off_the_plane_changes_nothing_along_it():
    axes = rotation().float()
    net = mlp(8, hidden=(10,), classes=2, activation=nn.Tanh, seed=1)
    x, y = torch.rand(20, 2, generator=generator()) @ axes[:, :2].T, torch.arange(20) % 2
    threat = ThreatModel("l2", 0.5, bounds=(-5, 5))
    attacked = pgd(net, x, y, threat, steps=10, random_start=False, grad_transform=[orthogonal_to(axes[:, :2])], early_stop=False)
    delta = attacked.x_adv - x
    assert float((delta @ axes[:, :2]).abs().max()) < 1e-6
    assert float(delta.norm(dim=1).max()) <= 0.5 + 1e-6
    loss = lambda inputs, rows: nn.functional.cross_entropy(net(inputs), y[rows], reduction="none")  # noqa: E731
    for basis in (axes[:, :2], axes[:, :2].expand(20, 8, 2)):
        climbed = ascend_off(loss, x, threat, basis=basis, steps=10, step_size=0.125)
        assert float(((climbed - x) @ axes[:, :2]).abs().max()) < 1e-6
        assert float((climbed - x).norm(dim=1).max()) <= 0.5 + 1e-6
        everyone = torch.arange(20)
        assert bool((loss(climbed, everyone) >= loss(x, everyone)).all())


def test_unseen_directions_are_safe_only_where_weights_in_them_average_out():
    # f = a z + b u, data with u = 0. One network: b shifts the answer. Opposite b, equally weighted: the mean logits do not move.
    one = torch.tensor([[[0.0, 0.0], [1.0, 3.0]]])
    both = torch.cat([one, torch.tensor([[[0.0, 0.0], [1.0, -3.0]]])])
    x, y = torch.tensor([[0.5, 0.0]]), torch.tensor([1])
    threat, basis = ThreatModel("l2", 0.5, bounds=(-1, 1)), torch.tensor([[1.0], [0.0]])
    fooled = []
    for weights in (one, both):
        post = Posterior(model=nn.Linear(2, 2, bias=False), params={"weight": weights})
        network = post.as_module("mean_logits")
        attack = pgd(network, x, y, threat, steps=10, random_start=False, grad_transform=[orthogonal_to(basis)])
        fooled.append(bool(attack.success))
    assert fooled == [True, False]


def test_a_perturbation_off_the_data_stays_in_the_box_by_getting_shorter():
    x, basis = torch.tensor([[0.5, 0.9]]), torch.tensor([[1.0], [0.0]])
    climbed = ascend_off(lambda inputs, rows: inputs.sum(1), x, ThreatModel("l2", 0.5), basis=basis, steps=5)
    torch.testing.assert_close(climbed, torch.tensor([[0.5, 1.0]]))


def test_an_input_on_a_wall_that_the_perturbation_does_not_cross_is_attacked():
    x, basis = torch.tensor([[0.0, 0.5], [1.0, 0.5]]), torch.tensor([[1.0], [0.0]])
    climbed = ascend_off(lambda inputs, rows: inputs.sum(1), x, ThreatModel("l2", 0.25), basis=basis, steps=5)
    torch.testing.assert_close(climbed, torch.tensor([[0.0, 0.75], [1.0, 0.75]]))


def test_the_others_make_up_for_a_coordinate_on_a_wall():
    # orthogonal to (1, 1, 1)/sqrt(3), the first coordinate at its upper wall: only (0, 1, -1)/sqrt(2) is left to climb 2 x0 + x1
    x, basis = torch.tensor([[1.0, 0.5, 0.5]]), torch.full((3, 1), 3**-0.5)
    objective, threat = lambda inputs, rows: 2 * inputs[:, 0] + inputs[:, 1], ThreatModel("l2", 0.2)
    climbed = ascend_off(objective, x, threat, basis=basis, steps=20, step_size=0.05)
    torch.testing.assert_close(climbed - x, torch.tensor([[0.0, 1.0, -1.0]]) * 0.2 * 2**-0.5, rtol=1e-4, atol=1e-4)


def test_the_optimum_among_walls_is_that_of_a_linear_programme():
    # a ball that holds the whole box: the best perturbation of a linear objective is a linear programme, by scipy
    from scipy.optimize import linprog

    basis, slope = rotation()[:, :3], torch.randn(8, generator=generator(1), dtype=torch.float64)
    x = torch.rand(12, 8, generator=generator(), dtype=torch.float64).mul_(1.4).sub_(0.2).clamp_(0, 1)  # a fifth on the walls
    assert int(((x == 0) | (x == 1)).sum()) > 10
    climbed = ascend_off(lambda inputs, rows: inputs @ slope, x, ThreatModel("l2", 3.0), basis=basis, steps=200, step_size=0.05)
    delta = climbed - x
    assert float((delta @ basis).abs().max()) < 1e-8
    assert float((climbed - climbed.clamp(0, 1)).abs().max()) == 0
    best = [
        -linprog(-slope.numpy(), A_eq=basis.T.numpy(), b_eq=[0] * 3, bounds=list(zip(-one, 1 - one, strict=True))).fun
        for one in x.numpy()
    ]
    share = (delta @ slope) / torch.tensor(best)

    assert float(share.max()) < 1 + 1e-8
    assert float(share.mean()) > 0.9, share


def test_digits_lie_on_walls_and_are_attacked_off_the_data_all_the_same(digits_small):
    x = digits_small[1].x[:100]
    basis = tangent_basis(digits_small[0].x, x, k=20, dim=8)
    net, y = mlp(64, hidden=(32,), classes=10, seed=0), digits_small[1].y[:100]
    loss = lambda inputs, rows: nn.functional.cross_entropy(net(inputs), y[rows], reduction="none")  # noqa: E731
    climbed = ascend_off(loss, x, ThreatModel("l2", 2.0), basis=basis, steps=10, step_size=0.5)
    delta = (climbed - x).flatten(1)
    assert float(torch.einsum("nd,nde->ne", delta, basis).abs().max()) < 1e-5
    assert float(delta.norm(dim=1).max()) <= 2.0 + 1e-5
    assert bool(((climbed >= 0) & (climbed <= 1)).all())
    assert float(delta.norm(dim=1).min()) > 0.2
    assert bool((loss(climbed, torch.arange(100)) > loss(x, torch.arange(100))).all())


def test_what_the_mask_holds_stays_and_the_rest_is_orthogonal():
    x, mask = torch.full((1, 4), 0.5), torch.tensor([1.0, 1.0, 1.0, 0.0])
    threat, basis = ThreatModel("l2", 0.2, mask=mask), torch.full((4, 1), 0.5)
    climbed = ascend_off(lambda inputs, rows: 3 * inputs[:, 0] + inputs[:, 3], x, threat, basis=basis, steps=10)
    best = torch.tensor([[2.0, -1.0, -1.0, 0.0]]) * 0.2 * 6**-0.5
    torch.testing.assert_close(climbed - x, best, rtol=1e-4, atol=1e-5)


def test_perturbations_that_are_zero_are_told():
    x, basis = torch.tensor([[1.0, 0.5], [0.5, 0.5]]), torch.tensor([[0.0], [1.0]])
    with pytest.warns(UserWarning, match="of 1 of 2 inputs is exactly zero"):
        ascend_off(lambda inputs, rows: inputs[:, 0], x, ThreatModel("l2", 0.2), basis=basis, steps=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 2}, "from 3 to 50"),
        ({"k": 51}, "from 3 to 50"),
        ({"dim": 0}, "from 1 to 4"),
        ({"x": torch.rand(3, 5)}, "that of `x_ref`"),
        ({"x_ref": torch.full((50, 4), torch.nan)}, "NaN"),
        ({"x_ref": torch.arange(50.0)[:, None].expand(50, 4)}, "vary in fewer directions"),
    ],
)
def test_bad_data_have_no_tangent_space(change, message):
    settings = {"x_ref": torch.rand(50, 4), "x": torch.rand(3, 4), "k": 10, "dim": 2} | change
    with pytest.raises(InputError, match=message):
        tangent_basis(settings.pop("x_ref"), settings.pop("x"), **settings)


@pytest.mark.parametrize(
    ("gradient", "basis", "message"),
    [
        (torch.rand(5, 4), torch.rand(4, 2) + 1, "not orthonormal"),
        (torch.rand(5, 4), torch.rand(4), r"\(d, dim\) or"),
        (torch.rand(5, 3), torch.eye(4)[:, :2], "4 numbers per input"),
        (torch.rand(5, 4), torch.eye(4)[:, :2].expand(6, 4, 2), r"\(..., 6, "),
    ],
)
def test_gradients_and_bases_that_do_not_fit_are_refused(gradient, basis, message):
    with pytest.raises(InputError, match=message):
        split_gradient(gradient, basis)


def test_attacks_off_the_data_need_the_right_norm_and_basis():
    with pytest.raises(InputError, match="l2"):
        ascend_off(lambda x, rows: x.sum(1), torch.rand(2, 4), ThreatModel("linf", 0.1), basis=torch.eye(4)[:, :1])
    with pytest.raises(InputError, match="ascend_off"):
        orthogonal_to(torch.eye(4)[:, :1].expand(3, 4, 1))
