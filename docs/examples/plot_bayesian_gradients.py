r"""
Bayesian networks: gradients that cancel, and what that does not mean
=====================================================================

A Bayesian network answers with the mean over many sets of weights.
An attacker who follows the mean gradient of its loss follows an average too, and averages of random directions are short.
G. Carbone et al. (arXiv:2002.04359) saw in this a robustness to gradient-based attacks.
Y. Feng et al. (arXiv:2404.19640) attacked Bayesian networks with more care and found that they break.

Here both can be seen on one page: which part of a gradient cancels and why, and what is left when the attacker does it properly.
The explanation is in :doc:`/explanation/bayesian`.
"""

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import nn

from holdfast.attacks import ThreatModel, pgd
from holdfast.bayes import (
    Prior,
    adaptive_protocol,
    cancellation_ratio,
    expected_input_gradient,
    hmc,
    mfvi,
    orthogonal_to,
    paper_protocol,
    split_gradient,
    train_ensemble,
)
from holdfast.core.figures import INK, MARKERS, PALETTE, new_figure
from holdfast.data import Examples, load_images
from holdfast.nets import mlp

torch.set_num_threads(1)  # the networks are too small for two
NAMES = (
    "one network",
    "ensemble, Adam",
    "ensemble, SGD",
    "mean field",
    "HMC",
    "HMC, 5 of the chains",
)
LOOK = {name: {"color": PALETTE[k], "marker": MARKERS[k]} for k, name in enumerate(NAMES)}

# %%
# Half-moons on a plane in twenty dimensions
# ------------------------------------------
#
# Two half-moons lie on a plane that is turned into a space of 20 dimensions.
# The data say nothing about the other 18.
# Four kinds of samples see them: networks trained from different starts, by Adam and by plain gradient descent, a mean-field posterior, and
# fifty short Hamiltonian chains.
# So short a chain does not mix, as :math:`\hat R` says, and chains that mix would need far more steps than this page has: but what
# averages out off the plane is the number of starts from the prior, and of these there are fifty.

plane = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(1)))[0]
plane = plane[:, :2]


def moons(count, seed):
    points, labels = make_moons(count, noise=0.1, random_state=seed)
    z = torch.tensor((points - [0.5, 0.25]) / [1.5, 0.75], dtype=torch.float32)
    return Examples(z @ plane.T, torch.tensor(labels))


def small(seed):
    return mlp(20, hidden=(32, 32), classes=2, activation=nn.LeakyReLU, seed=seed)


train, test = moons(300, 0), moons(100, 1)
by_adam = train_ensemble(small, train, 10, epochs=15, lr=0.02, batch_size=50)
by_sgd = train_ensemble(small, train, 10, epochs=25, lr=0.2, batch_size=50, optimizer="sgd")
by_hmc = hmc(
    small(0),
    train,
    prior=Prior(),
    samples=4,
    warmup=20,
    steps=15,
    chains=50,
    init_steps=100,
)
on_moons = {
    "one network": by_adam.take([0]),
    "ensemble, Adam": by_adam,
    "ensemble, SGD": by_sgd,
    "mean field": mfvi(
        small(0), train, prior=Prior(), epochs=160, lr=0.02, batch_size=100, samples=200
    ),
    "HMC": by_hmc,
}
for name, post in on_moons.items():
    right = (post.log_predictive(test.x).argmax(1) == test.y).double().mean()
    print(
        f"{name:15} {len(post):4d} samples, {post.chains:2d} chains, accuracy {right:.3f}"
    )
print(f"HMC: R-hat of the logits {by_hmc.diagnostics.rhat_logits:.2f}")

# %%
# The two parts of a gradient
# ---------------------------
#
# On the left is the plane of the data: what the Hamiltonian chains predict, and the directions of the mean gradient at some test points.
# On the right is the circled point: each dot is the direction of one sample's gradient, along the plane and in one direction off it.
# Along the plane most samples agree, because the data tell them where the boundary is.
# Off it nothing tells the posterior anything: its dots lie on both sides of zero, as the prior does.
# The networks that Adam trained all lie on one side.

shown = test[:25]
found = expected_input_gradient(by_hmc, shown.x, shown.y)
arrows = torch.nn.functional.normalize(found.mean.float() @ plane, dim=1)
chosen = int(found.norm.argsort()[len(shown) // 2])
point, label = shown.x[chosen : chosen + 1], shown.y[chosen : chosen + 1]


def directions(post):
    """The gradient of each sample at the chosen point, at unit length."""
    each = [
        expected_input_gradient(post.take([k]), point, label).direction[0]
        for k in range(len(post))
    ]
    return torch.nn.functional.normalize(torch.stack(each).float(), dim=1)


along = plane @ arrows[chosen]
off = split_gradient(directions(by_adam).mean(0, keepdim=True), plane).orthogonal[0]
off = off / off.norm()

axis = torch.linspace(-1.2, 1.2, 60)
grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
certain = by_hmc.log_predictive(grid @ plane.T).exp()[:, 1].reshape(60, 60)
parts_figure, (field, cloud) = new_figure(columns=2, size=(4.4, 3.6))
image = field.pcolormesh(
    axis, axis, certain, cmap="PuOr", vmin=0, vmax=1, shading="nearest", alpha=0.6
)
parts_figure.colorbar(image, ax=field, label="predicted probability of the second moon")
z = (shown.x @ plane).numpy()
for moon in (0, 1):
    members = shown.y.numpy() == moon
    field.plot(*z[members].T, MARKERS[moon], color=PALETTE[1 - moon], markersize=5)
field.quiver(*z.T, *arrows.numpy().T, color=INK, width=0.005, scale=14)
field.plot(*z[chosen], "o", markersize=12, markerfacecolor="none", markeredgecolor=INK)
field.set(
    xlabel="first axis of the plane", ylabel="second axis of the plane", aspect="equal"
)
field.grid(visible=False)
field.set_title("Mean gradients in the data's plane", loc="left")
for name in ("HMC", "ensemble, Adam"):
    each = directions(on_moons[name])
    cloud.plot(
        each @ along,
        each @ off,
        linestyle="none",
        markersize=4,
        alpha=0.6,
        label=name,
        **LOOK[name],
    )
cloud.axhline(0, color=INK, linewidth=0.8)
cloud.set(xlabel="share along the plane", ylabel="share in one direction off it")
cloud.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
cloud.set_title("Samples at the circled point", loc="left")
cloud.legend(loc="lower left", frameon=False)

# %%
# The mean against the number of samples
# --------------------------------------
#
# r is the length of the mean over the mean length.
# Independent samples of random directions follow the dotted line, 1 over the root of their number.
# Networks trained by gradient descent follow it best: their weights off the plane are those they were drawn with, for the gradient of the
# weights lies in the plane with the data.
# Adam takes a step of its own length in every coordinate, which leads off the plane, and for all networks to the same side: they do not
# cancel, and that is the optimiser and not the ensemble.
# Along the plane nothing cancels: more samples do not hide the boundary.

ratio_figure, (axes,) = new_figure(size=(5.8, 3.7))
sizes = np.array([1, 2, 5, 10, 25, 50, 100, 200])
for name, post in on_moons.items():
    fitting = sizes[sizes <= len(post)]
    if len(fitting) == 1:
        continue
    for part in ("orthogonal", "tangential"):
        table = cancellation_ratio(
            post,
            test.x,
            test.y,
            samples=fitting.tolist(),
            part=lambda g, part=part: getattr(split_gradient(g, plane), part),
        )
        ratios = [row.ratio.value for row in table.rows]
        if part == "orthogonal":
            axes.loglog(fitting, ratios, label=name, **LOOK[name])
        else:
            axes.loglog(fitting, ratios, "--", color=LOOK[name]["color"], linewidth=1)
        print(f"{name:14} {part:10}: r = {table.rows[-1].ratio} at {fitting[-1]} samples")
axes.plot([], [], "--", color=INK, linewidth=1, label="along the plane")
axes.loglog(sizes, sizes**-0.5, ":", color=INK, label=r"$1/\sqrt{S}$")
axes.set(xlabel="samples in the mean, S", ylabel="length of the mean over mean length, r")
axes.set_title("What cancels lies off the data", loc="left")
axes.legend(fontsize=8, frameon=False)

# %%
# An attack that leaves the plane
# -------------------------------
#
# The attacker may move only in the 18 directions that no datum has, and climbs what is predicted.
# Here cancellation protects, and not because the attack is weak: a prediction that averages over what it cannot know does not change.
# Samples that do not average out do not protect, and five chains protect less than one trained network: off the plane their weights are
# draws of the prior, which are larger than what a network starts with.

radii = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5]
few_chains = {"HMC, 5 of the chains": by_hmc.take(range(20))}
leave_figure, (axes,) = new_figure(size=(5.4, 3.5))
for name, post in (on_moons | few_chains).items():
    estimates = []
    for radius in radii:
        result = pgd(
            post.as_module(),
            test.x,
            test.y,
            ThreatModel("l2", radius, bounds=(-4, 4)),
            steps=20,
            random_start=False,
            grad_transform=[orthogonal_to(plane)],
        )
        estimates.append(result.accuracy)
    values, lows, highs = zip(*((e.value, e.lo, e.hi) for e in estimates), strict=True)
    axes.plot(radii, values, label=name, **LOOK[name])
    axes.fill_between(radii, lows, highs, color=LOOK[name]["color"], alpha=0.1, linewidth=0)
axes.set(
    xlabel="length of the perturbation off the plane", ylabel="accuracy", ylim=(-0.02, 1.02)
)
axes.set_title("Directions without data", loc="left")
axes.legend(fontsize=8, frameon=False)

# %%
# Digits, attacked twice
# ----------------------
#
# Images of digits fill no plane, and an attacker need not stay off anything.
# The paper's protocol takes one step, and forty, along the mean gradient.
# The adaptive one climbs three losses of what is predicted, adds an attack without gradients, and keeps the worst for each image.
# Networks, samples and images are the same on both sides.

digits = load_images("digits", n=400), load_images("digits", split="test", n=100)


def reader(seed):
    return mlp(64, hidden=(32,), activation=nn.LeakyReLU, seed=seed)


readers = train_ensemble(reader, digits[0], 10, epochs=20, lr=0.02, batch_size=50)
on_digits = {
    "one network": readers.take([0]),
    "ensemble, Adam": readers,
    "mean field": mfvi(
        reader(0), digits[0], prior=Prior(), epochs=100, lr=0.01, batch_size=50, samples=50
    ),
    "HMC": hmc(
        reader(0), digits[0], prior=Prior(), samples=2, warmup=15, steps=10, chains=25
    ),
}
sizes = [0.05, 0.1, 0.2]
images = (digits[1].x, digits[1].y)
attacks_figure, panels = new_figure(columns=2, size=(4.3, 3.5))
for name, post in on_digits.items():
    curves = {"paper": [], "adaptive": []}
    for eps in sizes:
        threat = ThreatModel("linf", eps)
        paper = paper_protocol(
            post, *images, threat, loss="expected", attack_samples=None, step_size=eps / 10
        )
        adaptive = adaptive_protocol(
            post, *images, threat, steps=15, restarts=1, queries=30
        )
        curves["paper"].append(paper.accuracy)
        curves["adaptive"].append(adaptive.accuracy)
        if eps == 0.1:
            r = expected_input_gradient(post, *images).cancellation.mean()
            print(f"{name:15} {len(post):3d} samples, r = {r:.2f}")
            print(
                f"    at 0.1: {paper.accuracy} along the mean gradient, {adaptive.accuracy} adaptive"
            )
    for axes, estimates in zip(panels, curves.values(), strict=True):
        every = [paper.clean_accuracy, *estimates]
        axes.plot([0, *sizes], [e.value for e in every], label=name, **LOOK[name])
        axes.fill_between(
            [0, *sizes],
            [e.lo for e in every],
            [e.hi for e in every],
            color=LOOK[name]["color"],
            alpha=0.12,
            linewidth=0,
        )
titles = ("Along the mean gradient", "Adaptive, worst of four attacks")
for axes, title in zip(panels, titles, strict=True):
    axes.set(
        xlabel="largest change of a pixel, eps",
        ylabel="accuracy",
        ylim=(-0.02, 1.02),
        xticks=(0, 0.05, 0.1, 0.15, 0.2),
    )
    axes.set_title(title, loc="left")
panels[0].legend(frameon=False)

# %%
# Two of these pictures seem to say opposite things, and do not.
# Off the data a posterior's ignorance averages out, and nothing is left to climb: this is true of the prediction itself.
# Along the data, where images can be changed into other images, nothing averages out but the attacker's own step: an attack on what is
# predicted takes most of the advantage away.
# The table of a protocol says so in words, with both sample counts:

print(adaptive)
