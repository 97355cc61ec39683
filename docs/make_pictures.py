"""Make the two pictures of the README: the page of an audit, and the curves behind it.

::

    python docs/make_pictures.py

It audits the example network with five gates into ``runs/pictures`` and draws ``docs/_static/curves.png``; where Chromium is
installed it also photographs the page into ``docs/_static/report.png``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import holdfast
from holdfast.core.figures import curve_figure, new_figure, save

if TYPE_CHECKING:
    from holdfast.auditing import Report

STATIC = Path(__file__).parent / "_static"
GATES = (
    "clean.accuracy >= 0.95",
    "precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.05",
    "device.weight_noise.worst[sigma=0.05] >= 0.95",
    "adversarial.pgd.accuracy[eps=0.1] >= 0.6",
    "adversarial.masking.flags == 0",
)
PANELS = (
    ("Gradient attacks", "adversarial", (("fgsm", 0, "one step (FGSM)"), ("pgd", 0, "many steps (PGD)"))),
    ("Fewer bits", "precision", (("weight_bits", 0, "weights"), ("act_bits", 0, "activations"))),
    (
        "Device-to-device variation of neurons",
        "device",
        (("activation_variation", 0, "mean over chips"), ("activation_variation", 1, "worst of 5 chips")),
    ),
)


def draw_curves(report: Report) -> Path:
    """One panel per card, with intervals and the level of guessing."""
    figure, axes = new_figure(columns=len(PANELS), size=(3.8, 3.0))
    chance = report.document.data.chance if report.document.data else None
    for place, (title, card, wanted) in zip(axes, PANELS, strict=True):
        stresses = report.cards[card].entry.stresses
        curves = [replace(stresses[stress].curves[number].curve(), name=label) for stress, number, label in wanted]
        curve_figure(curves, title=title, chance=chance, axes=place)
    return save(figure, STATIC / "curves.png")


def photograph(page: Path, *, height: int) -> Path | None:
    """The upper part of the page at 1400 px, or None without Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        return None
    path = STATIC / "report.png"
    flags = (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    )
    window = (f"--window-size=1400,{height}", "--hide-scrollbars", "--virtual-time-budget=2000", f"--screenshot={path.resolve()}")
    subprocess.run([browser, *flags, *window, page.resolve().as_uri()], check=True, capture_output=True)  # noqa: S603 (fixed words)
    return path


def main() -> None:
    """Audit the example network and make both pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of the README")
    parser.add_argument("--out", default="runs/pictures", help="folder of the run")
    parser.add_argument("--height", type=int, default=1250, help="of the photographed part of the page, in px")
    options = parser.parse_args()
    report = holdfast.audit(gates=list(GATES), out=options.out, fresh=True, progress=True)
    print(draw_curves(report))
    print(photograph(report.page, height=options.height) or "no Chromium here: docs/_static/report.png stays as it is")


if __name__ == "__main__":
    main()
