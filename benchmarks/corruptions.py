"""Each of the 19 corruptions at 224 px beside imagecorruptions-imaug, one thread, one process.

Usage: ``python benchmarks/corruptions.py [--repeats 7] [--images 4] [--json FILE]`` after ``pip install "holdfast[bench]"``.

The same 8-bit picture goes through both. holdfast takes and gives float tensors (n, c, h, w), the peer 8-bit arrays (h, w, c);
neither column holds a conversion that the library does not do itself. Calls alternate, and the table shows medians per image over
severities 1, 3 and 5. Constants differ where the peer's do: its elastic_transform has constants of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import imagecorruptions
import numpy as np

from holdfast.shift import CORRUPTIONS, Corruption

SIDE = 224
SEVERITIES = (1, 3, 5)
GOALS = dict.fromkeys(CORRUPTIONS, 1.0) | dict.fromkeys(("zoom_blur", "brightness", "saturate", "glass_blur"), 5.0)


def picture() -> np.ndarray:
    """A smooth colour picture (h, w, 3) in 8 bits."""
    coarse = np.random.default_rng(0).random((28, 28, 3), dtype=np.float32)
    return (cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 1) * 255).astype(np.uint8)


def seconds(work) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def compare(name: str, *, images: int, repeats: int) -> dict[str, float | str]:
    pixels = picture()
    batch = np.repeat(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None].astype(np.float32) / 255, images, axis=0)
    ours, theirs = [], []
    for severity in SEVERITIES:
        corruption = Corruption(name=name, severity=severity)
        corruption(batch)
        imagecorruptions.corrupt(pixels, severity, name)
        for _ in range(repeats):
            ours.append(seconds(lambda: corruption(batch)) / images)  # noqa: B023  called at once
            theirs.append(seconds(lambda: imagecorruptions.corrupt(pixels, severity, name)))  # noqa: B023  called at once
    mine, peer = statistics.median(ours), statistics.median(theirs)
    return {"corruption": name, "holdfast_ms": 1e3 * mine, "peer_ms": 1e3 * peer, "ratio": peer / mine, "goal": GOALS[name]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=CORRUPTIONS, help="corruptions; default: all")
    parser.add_argument("--images", type=int, default=4, help="images in a batch of ours")
    parser.add_argument("--repeats", type=int, default=7, help="calls per severity")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    packages = ("holdfast", "imagecorruptions-imaug", "numpy", "scipy", "scikit-image", "numba", "opencv-python-headless", "pillow")
    versions = {package: version(package) for package in packages}
    print("  ".join(f"{package} {number}" for package, number in versions.items()))
    print(f"{SIDE} px, one thread, median of {options.repeats} calls for each of severities {SEVERITIES}, ms per image")
    print(f"{'corruption':20}{'holdfast':>10}{'peer':>10}{'ratio':>8}{'goal':>6}")
    rows = []
    for name in options.names:
        rows.append(compare(name, images=options.images, repeats=options.repeats))
        print("{corruption:20}{holdfast_ms:10.2f}{peer_ms:10.2f}{ratio:8.1f}{goal:6.0f}".format(**rows[-1]), flush=True)
    missed = [row["corruption"] for row in rows if row["ratio"] < row["goal"]]
    print("goals missed: " + (", ".join(map(str, missed)) or "none"))
    if options.json:
        options.json.write_text(json.dumps({"versions": versions, "side": SIDE, "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
