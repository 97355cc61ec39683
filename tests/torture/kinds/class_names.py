"""Text files with the names of all classes, for data in one folder per class."""

import os

from PIL import Image
from torture_case import SPOIL, with_data

REPEATS = 4
NAMES = [f"class {label}" for label in range(10)]


def named(rng, folder, content):
    """A set of images that lacks a class, and the file of names."""
    for name in rng.sample(NAMES, 9):
        (folder / "images" / name).mkdir(parents=True)
        Image.new("L", (8, 8), rng.randrange(256)).save(folder / "images" / name / "1.png")
    if content is not None:
        (folder / "names.txt").write_bytes(content)
    case = with_data(folder, "images")
    return type(case)((*case.arguments, "--classes", "names.txt"))


def spoiled(how):
    return lambda rng, folder: named(rng, folder, SPOIL[how](rng, "\n".join(NAMES).encode()))


def odd(rng, folder):
    lines = rng.choice(
        [
            NAMES * 2,
            NAMES[:5],
            [*NAMES, "one more"],
            ["", *NAMES],
            [name.upper().replace(" ", "_") for name in NAMES],
            [f"{name}\x00" for name in NAMES],
            [f"../{name}" for name in NAMES],
            [f"<script>{name}</script>" for name in NAMES],
            ["x" * 10**6] * 10,
            [str(number) for number in range(10**5)],
            [],
        ]
    )
    encoding = rng.choice(["utf-8", "utf-16", "utf-8-sig"])
    return named(rng, folder, rng.choice(["\n", "\r\n", "\r", "\u2028"]).join(lines).encode(encoding))


def no_file(rng, folder):
    case = named(rng, folder, None)
    place = folder / "names.txt"
    make = [
        lambda: os.mkfifo(place),
        lambda: place.symlink_to("/dev/zero"),
        place.mkdir,
        lambda: place.symlink_to(place),
        lambda: None,
    ]
    rng.choice(make)()
    return case


VARIANTS = {**{how: spoiled(how) for how in SPOIL}, "odd names": odd, "no file": no_file}
