r"""
An attack on classes that the attacker does not know
====================================================

The victim sorts shirts, dresses, pullovers, sneakers and boots.
The attacker's own network knows none of these: it was trained on T-shirts, trousers, coats, sandals and bags.
Can the attacker make the victim answer a class of its choice?

The way is that of arXiv:2103.09916: find out once which of the known classes the victim takes for which of its own, then push an image
towards the class that stands for the target.
Networks and data are small ones of our own; the study :mod:`holdfast.studies.transfer_attack` holds the claims against larger runs.
Where Fashion-MNIST is not at hand, the digits 0-4 and 5-9 of scikit-learn take its place.
"""

import warnings

import torch

from holdfast.attacks import ThreatModel, adversarial_batches
from holdfast.attacks.transfer import (
    FeatureHeads,
    class_correspondence,
    control_attacks,
    evaluate_transfer,
    proxy_attack,
    transfer_curves,
)
from holdfast.core.figures import curve_figure, new_figure
from holdfast.core.target import Target
from holdfast.data import list_data, load_images
from holdfast.data.splits import select_classes
from holdfast.nets import conv_net, evaluate, fit, predict, sign_noise

warnings.filterwarnings("ignore", message="Noise alone reaches")  # it is drawn below

# %%
# Two worlds, two networks
# ------------------------
#
# The victim is trained with a little noise, so that it does not take everything strange for one and the same class.
# The attacker trains with adversarial examples of one step: such a network's gradients show shapes instead of grain.

fashion = any(row.name == "fashion-mnist" and row.present for row in list_data())
name, rows, eps = ("fashion-mnist", 4000, 0.2) if fashion else ("digits", None, 0.3)
known, theirs = ((0, 1, 4, 5, 8), (6, 3, 2, 7, 9)) if fashion else (range(5), range(5, 10))
whole, test = load_images(name, n=rows), load_images(name, "test")
mine, victims = (
    tuple(select_classes(part, some) for part in (whole, test)) for some in (known, theirs)
)

white_box, victim_net = (
    conv_net(classes=5, seed=1),
    conv_net((24, 48, 48), (2, 2, 1), classes=5, seed=2),
)
one_step = adversarial_batches(0.75 * eps)
fit(white_box, mine[0], epochs=5, lr=3e-3, batch_size=64, on_batch=one_step)
fit(victim_net, victims[0], epochs=5, lr=3e-3, batch_size=64, augment=sign_noise(0.05))
print("attacker:", evaluate(white_box, mine[1]).accuracy)
print("victim:  ", evaluate(victim_net, victims[1]).accuracy)

# %%
# Which class stands for which
# ----------------------------
#
# The victim is asked about 200 images of each class that it does not know, and must name one that it knows.
# For each target (column) the class with the largest entry is the proxy, framed below.
# These are all the questions that the attack asks, and labels are answer enough.

victim = Target(model=victim_net, access="labels")
found = class_correspondence(victim, mine[1], 200, target_classes=victims[1].class_names)
print(
    f"{victim.queries.count} queries; entropy of each row in nat:",
    found.entropy.round(decimals=2).tolist(),
)

heat_map = found.figure()

# %%
# Pushed towards the proxy
# ------------------------
#
# Small networks on each block of the attacker's network tell how much its features look like the proxy.
# The attack raises that, and the network's own answer, at once.
# Each row below is an image on which it went well: above all images such luck is the exception, as the last figure shows.

heads = FeatureHeads.fit(white_box, mine[0], ["block1", "block2", "block3", "block4"])
right = victims[1][predict(victim_net, victims[1].x).argmax(1) == victims[1].y][:300]
goals = (right.y + 1 + torch.arange(len(right)) % 4) % 5
threat = ThreatModel("linf", eps)
attack = proxy_attack(white_box, right.x, goals, found, threat, heads=heads)
print(f"the proxy is reached in the attacker's network: {attack.white_box_rate}")

answers = predict(victim_net, attack.x_adv).argmax(1)
lucky = [
    int(((answers == goals) & (goals == goal)).nonzero()[0])
    for goal in answers[answers == goals].unique()
][:4]
pictures, panels = new_figure(rows=len(lucky), columns=3, size=(2.3, 2.1))
for number, place in enumerate(lucky):
    clean, changed = right.x[place], attack.x_adv[place]
    mid = 0.5 + (changed - clean) / (2 * eps)
    saw = predict(white_box, torch.stack([clean, changed])).argmax(1)
    words = [
        f"victim: {victims[1].class_names[int(right.y[place])]}\nattacker: {mine[1].class_names[int(saw[0])]}",
        "change, in units of eps",
        f"victim: {victims[1].class_names[int(answers[place])]}\nattacker: {mine[1].class_names[int(saw[1])]}",
    ]
    for column, (picture, title) in enumerate(
        zip((clean, mid, changed), words, strict=True)
    ):
        axes = panels[3 * number + column]
        axes.imshow(picture[0], cmap="gray" if column != 1 else "PuOr", vmin=0, vmax=1)
        axes.set_title(title, fontsize=8, fontweight="normal")
        axes.set_axis_off()

# %%
# Beside noise and other proxies
# ------------------------------
#
# A success rate says nothing by itself: noise of the same size, and the same attack towards random or worst proxies, tell how much of
# it is owed to the proxy.
# Between networks of this size the effect is real and small.

evaluations = {}
for size in (0.4 * eps, 0.7 * eps, eps):
    threat = ThreatModel("linf", size)
    attacks = {
        "towards the proxy": proxy_attack(
            white_box, right.x, goals, found, threat, heads=heads
        ).x_adv,
        **control_attacks(white_box, right.x, goals, found, threat, heads=heads),
    }
    evaluations[size] = evaluate_transfer(victim, attacks, right.y, goals)

largest = evaluations[eps]
print(f"gain over the better control at eps {eps}: {largest.gain('towards the proxy')}")
for goal, rate in largest.by_target("towards the proxy").items():
    print(f"  {found.target_classes[goal]}: {rate}")
rates, (axes,) = new_figure(size=(5.4, 3.4))
curve_figure(
    transfer_curves(evaluations), title="The victim answers with the target", axes=axes
)
axes.set_ylim(0, None)
