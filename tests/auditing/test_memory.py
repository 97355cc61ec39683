"""What an audit takes of the machine's memory: what it uses of the data, not what the data are. Minutes of work."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from holdfast.core.errors import DataUnavailableError
from holdfast.data.images import stored_images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]  # minutes of work on an idle machine

SCRIPT = """
import json, resource, sys
import holdfast
from holdfast.nets import tiny_cnn

size, source, options = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
network = tiny_cnn(channels=3, size=size, classes=10)
report = holdfast.audit(network, source, allow_low_accuracy=True, out="run", threads=1, **options)
found = {name: entry.status for card in report.cards.values() for name, entry in card.entry.stresses.items()}
print(json.dumps({"status": found, "n": report.document.data.n, "total": report.document.data.total}))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measured(folder, size, source, options):
    """What the audit said, and its largest resident memory in bytes."""
    command = [sys.executable, "-c", SCRIPT, str(size), str(source), json.dumps(options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said, kib = done.stdout.splitlines()[-2:]
    return json.loads(said), 1024 * int(kib)


def test_a_thousand_of_fifty_thousand_images_stay_below_two_gigabytes(tmp_path):
    generator = np.random.default_rng(0)
    root = tmp_path / "photos"
    for label in range(10):
        (root / f"class {label}").mkdir(parents=True)
        Image.fromarray(generator.integers(0, 256, (256, 256, 3)).astype(np.uint8)).save(root / f"class {label}" / "0.jpg")
        for number in range(1, 5000):  # other names of the same file: each is opened and decoded on its own
            os.link(root / f"class {label}" / "0.jpg", root / f"class {label}" / f"{number}.jpg")
    said, peak = measured(tmp_path, 256, root, {"preset": "quick", "examples": 1000, "stresses": ["clean", "fgsm", "weight_bits"]})
    assert (said["n"], said["total"]) == (1000, 50_000)
    assert peak < 2e9


def test_fifty_thousand_cifar_images_stay_below_1200_megabytes(tmp_path):
    try:
        stored = stored_images("cifar10", "train")
    except DataUnavailableError:
        pytest.skip("CIFAR-10 is not on this machine")
    np.savez(tmp_path / "cifar.npz", x=stored.x.numpy(), y=stored.y.numpy())
    settings = {
        "adversarial": {"fgsm": {"eps": [2 / 255, 8 / 255]}},
        "precision": {"weight_bits": {"bits": [8, 4]}},
        "device": {"weight_noise": {"sigma": [0.05], "chips": 2}},
    }
    stresses = ["clean", "fgsm", "weight_bits", "weight_noise"]
    said, peak = measured(tmp_path, 32, "cifar.npz", {"preset": "standard", "stresses": stresses, "settings": settings})
    assert said["n"] == 50_000
    assert {said["status"][name] for name in stresses} == {"ok"}
    assert peak < 1.2e9
