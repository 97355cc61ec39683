"""
Audit your own model
====================

A small convolutional network learns scikit-learn's handwritten digits, and one call stresses it in every way that applies.
The network here is yours in every respect that matters: a plain ``torch.nn.Module`` that knows nothing of holdfast.
"""

import tempfile

from torch import nn

import holdfast
from holdfast.core.figures import curve_figure, new_figure
from holdfast.data import load_images
from holdfast.nets import evaluate, fit

# %%
# A plain PyTorch network, trained
# --------------------------------
#
# Any training loop will do; :func:`holdfast.nets.fit` is a short one.

network = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 4 * 4, 10),
)
train, test = load_images("digits"), load_images("digits", split="test")
fit(network, train, epochs=15, lr=5e-3, batch_size=64)
print(f"{len(test)} test digits, accuracy {evaluate(network, test).accuracy}")

# %%
# The audit
# ---------
#
# Everything that follows lies in ``report.folder``: the page, the same facts as JSON, verdicts for continuous integration, and one
# row per example and stress.
# Two gates say what must hold; each is judged with its interval.

folder = tempfile.mkdtemp()
report = holdfast.audit(
    network,
    test,
    name="digits CNN",
    preset="quick",
    budget="60s",
    gates=[
        "clean.accuracy >= 0.95",
        "precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.02",
    ],
    out=folder,
    fresh=True,
)
for gate in report.document.gates:
    print(f"{gate.status:10} {gate.statement}\n{'':10} {gate.reason}")

# %%
# What the attacks do
# -------------------
#
# A curve holds estimates over strengths.
# The bands are 95 % intervals: Wilson's for shares of examples.

attacks = report.cards["adversarial"]
attack_figure = curve_figure(
    [attacks.curve("fgsm"), attacks.curve("pgd")], title="Gradient attacks", chance=0.1
)

# %%
# What fewer bits and device spread do
# ------------------------------------
#
# Over chips that were drawn at random, the interval is Student's t on the mean over chips.

weight_bits = report.cards["precision"].curve("weight_bits")
variation = report.cards["device"].curve("activation_variation")
hardware_figure, (left, right) = new_figure(columns=2, size=(4.0, 3.0))
curve_figure([weight_bits], title="Weights with fewer bits", chance=0.1, axes=left)
curve_figure(
    [variation], title="Device-to-device variation of neurons", chance=0.1, axes=right
)

# %%
# What was found
# --------------
#
# A finding names its number, its evidence and the function that helps.

for finding in report.document.findings:
    print(f"{finding.severity:7} {finding.text}\n{'':7} {finding.remedy}\n")

# %%
# Row by row
# ----------
#
# Nothing has to be taken on trust: the same accuracy comes out of the per-example table.

rows = report.per_example("pgd", eps=0.1)
print(rows.dtype.names)
print(f"accuracy under PGD at eps = 0.1: {rows['correct'].mean():.3f}")

# %%
# The page
# --------
#
# One file without any outside reference; it opens from an attachment.

report
