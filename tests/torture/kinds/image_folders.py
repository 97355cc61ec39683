"""Folders with one folder of images per class."""

import io
import os
import struct
import zlib

from PIL import Image
from torture_case import SPOIL, with_data

REPEATS = 9


def picture(rng, form="PNG", *, mode="L", size=(8, 8)):
    content = io.BytesIO()
    pixels = rng.randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).tobytes()))
    Image.frombytes(mode, size, pixels).save(content, form)
    return content.getvalue()


def honest(rng, folder, *, form="PNG", per_class=4):
    for label in range(10):
        inside = folder / "images" / str(label)
        inside.mkdir(parents=True)
        for number in range(per_class):
            (inside / f"{number}.{form.lower()}").write_bytes(picture(rng, form))
    return folder / "images" / str(rng.randrange(10))


def spoiled(how, form):
    def make(rng, folder):
        chosen = honest(rng, folder, form=form) / f"2.{form.lower()}"
        chosen.write_bytes(SPOIL[how](rng, chosen.read_bytes()))
        return with_data(folder, "images")

    return make


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def huge_png(width, height, body):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bomb(rng, folder):
    """A small file whose header or whose zeros make an enormous picture."""
    side = rng.choice([20_000, 40_000, 65_000, 2**31 - 1])
    body = zlib.compress(bytes(2**20), 9) if side > 40_000 else zlib.compress(bytes(min(side * (side + 1), 2**26)), 9)
    content = rng.choice([huge_png(side, side, body), huge_png(8, 8, body) + bytes(9), text_bomb()])
    (honest(rng, folder) / "2.png").write_bytes(content)
    return with_data(folder, "images")


def text_bomb():
    """A comment that unpacks to 64 MB."""
    honest_png = huge_png(8, 8, zlib.compress(bytes(8 * 9)))
    comment = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9))
    return honest_png[:33] + comment + honest_png[33:]


def no_file(rng, folder):
    """What has the name of an image and is not a file: a pipe, a device, a folder, a link to itself, a socket."""
    place = honest(rng, folder) / "2.png"
    place.unlink()
    kind = rng.randrange(7)
    if kind == 0:
        os.mkfifo(place)
    elif kind == 1:
        place.symlink_to("/dev/zero")
    elif kind == 2:
        place.symlink_to("/dev/tty")
    elif kind == 3:
        place.mkdir()
    elif kind == 4:
        place.symlink_to(place)
    elif kind == 5:
        place.symlink_to("/nonexistent")
    else:
        place.symlink_to("/dev/random")
    return with_data(folder, "images")


def odd_names(rng, folder):
    inside = honest(rng, folder)
    name = rng.choice(
        [
            b"\xe9\xff.png",
            b"a\nb.png",
            b"-rf.png",
            b"\xf0\x9f\x92\xa9.png",
            b".png",
            b"a" * 250 + b".png",
            b"CON.png",
            b"a.png.png",
            b"A.PNG",
        ]
    )
    where = rng.choice(
        [os.fsencode(inside), os.fsencode(folder / "images") + b"/" + rng.choice([b"\xe9\xff", b"b\nc", b"1000000000000000000000"])]
    )
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, name), "wb") as file:
        file.write(picture(rng))
    return with_data(folder, "images")


def odd_images(rng, folder):
    form, mode = rng.choice(
        [
            ("PNG", "I;16"),
            ("TIFF", "F"),
            ("GIF", "P"),
            ("BMP", "RGB"),
            ("JPEG", "CMYK"),
            ("PNG", "1"),
            ("PNG", "RGBA"),
            ("TIFF", "I"),
            ("WEBP", "RGB"),
        ]
    )
    content = io.BytesIO()
    Image.new(mode, rng.choice([(8, 8), (1, 1), (9, 8), (8, 3000)])).save(content, form)
    (honest(rng, folder) / "2.png").write_bytes(content.getvalue())
    return with_data(folder, "images")


def odd_folders(rng, folder):
    kind = rng.randrange(6)
    if kind == 0:
        (folder / "images").mkdir()
    elif kind == 1:
        (honest(rng, folder).parent / "empty").mkdir()
    elif kind == 2:
        inside = honest(rng, folder)
        (inside / "deeper").symlink_to(inside.parent)
    elif kind == 3:
        inside = honest(rng, folder)
        (inside / "x" / ("y" * 200) / ("z" * 200)).mkdir(parents=True)
    elif kind == 4:
        (folder / "images").mkdir()
        for number in range(3000):
            (folder / "images" / f"c{number}").mkdir()
    else:
        (folder / "images").symlink_to("images")
    return with_data(folder, "images")


def an_odd_size(rng, folder):
    honest(rng, folder)
    case = with_data(folder, "images")
    return type(case)((*case.arguments, "--size", rng.choice(["0", "-3", "100000", "1e9", "nan", "8x8", "8", "2147483648"])))


VARIANTS = {
    **{f"{how}, {form}": spoiled(how, form) for how in SPOIL for form in ("PNG", "JPEG")},
    "a bomb": bomb,
    "no file": no_file,
    "odd names": odd_names,
    "odd images": odd_images,
    "odd folders": odd_folders,
    "an odd size": an_odd_size,
}
