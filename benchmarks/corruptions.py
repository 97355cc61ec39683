"""Each of the 19 corruptions at 224 px beside imagecorruptions-imaug, one thread, one process.

Usage: ``python benchmarks/corruptions.py [--repeats 7] [--images 4] [--json FILE]`` after ``pip install "holdfast[bench]"``.

The work is the same: a float picture (3, h, w) in [0, 1] comes in, and a corrupted one goes out, as a network needs it. The peer
takes and gives 8-bit arrays (h, w, 3), so its two conversions count; the column `bare` shows its ratio without them. Calls
alternate, times are CPU times of the one thread, and the table shows medians per picture over severities 1, 3 and 5. Constants are
the same but for elastic_transform, where the peer has its own.
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
    """A smooth colour picture (3, h, w) of floats in 8-bit levels."""
    coarse = np.random.default_rng(0).random((28, 28, 3), dtype=np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return np.ascontiguousarray(np.round(smooth * 255).transpose(2, 0, 1)) / np.float32(255)


def clock() -> float:
    """CPU time of this thread in s: on a shared machine it suffers less from others than the wall clock."""
    return time.thread_time()


def time_holdfast(corruption: Corruption, batch: np.ndarray) -> float:
    """Seconds per picture."""
    start = clock()
    corruption(batch)
    return (clock() - start) / len(batch)


def time_peer(name: str, severity: int, image: np.ndarray) -> tuple[float, float]:
    """Seconds from float picture to float picture, and those inside the peer."""
    start = clock()
    pixels = np.ascontiguousarray((image * 255).astype(np.uint8).transpose(1, 2, 0))
    entered = clock()
    corrupted = imagecorruptions.corrupt(pixels, severity, name)
    left = clock()
    np.ascontiguousarray(corrupted.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return clock() - start, left - entered


def compare(name: str, *, images: int, repeats: int) -> dict[str, float | str]:
    batch = np.repeat(picture()[None], images, axis=0)
    ours, theirs, inside = [], [], []
    for severity in SEVERITIES:
        corruption = Corruption(name=name, severity=severity)
        corruption(batch)
        time_peer(name, severity, batch[0])
        for _ in range(repeats):
            ours.append(time_holdfast(corruption, batch))
            whole, bare = time_peer(name, severity, batch[0])
            theirs.append(whole)
            inside.append(bare)
    mine, peer, bare = (1e3 * statistics.median(times) for times in (ours, theirs, inside))
    return {
        "corruption": name,
        "holdfast_ms": mine,
        "peer_ms": peer,
        "ratio": peer / mine,
        "bare_ratio": bare / mine,
        "goal": GOALS[name],
    }


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
    print(f"{'corruption':20}{'holdfast':>10}{'peer':>10}{'ratio':>8}{'bare':>8}{'goal':>6}")
    rows = []
    for name in options.names:
        rows.append(compare(name, images=options.images, repeats=options.repeats))
        print(
            "{corruption:20}{holdfast_ms:10.2f}{peer_ms:10.2f}{ratio:8.1f}{bare_ratio:8.1f}{goal:6.0f}".format(**rows[-1]),
            flush=True,
        )
    missed = [row["corruption"] for row in rows if row["ratio"] < row["goal"]]
    print("goals missed: " + (", ".join(map(str, missed)) or "none"))
    if options.json:
        options.json.write_text(json.dumps({"versions": versions, "side": SIDE, "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
