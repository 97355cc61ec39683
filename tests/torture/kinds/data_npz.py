"""Archives of NumPy arrays with examples, x and y."""

import io
import zipfile

import numpy as np
from torture_case import MARK, SPOIL, flip, with_data

REPEATS = 9


class Payload:
    """What unpickling must never run."""

    def __reduce__(self):
        import os

        return os.system, (f"touch {MARK}",)


def rows(rng):
    draw = np.random.default_rng(rng.randrange(2**31))
    return {"x": draw.random((40, 1, 8, 8)).astype(np.float32), "y": np.arange(40) % 10}


def saved(arrays, *, compressed=False):
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, **arrays)
    return content.getvalue()


def spoiled(how, *, compressed):
    return lambda rng, folder: with_data(
        folder, "data.npz", SPOIL[how](rng, saved(rows(rng), compressed=compressed)), reference="data"
    )


def inside(how):
    """An array is spoiled before it is packed, so that its checksum is right."""

    def make(rng, folder):
        content, part = io.BytesIO(), rng.choice("xy")
        with zipfile.ZipFile(content, "w") as archive:
            for name, array in rows(rng).items():
                record = io.BytesIO()
                np.save(record, array)
                held = record.getvalue()
                if name == part:
                    held = flip(rng, held, first=128) if how == "values" else SPOIL[how](rng, held)
                archive.writestr(f"{name}.npy", held)
        return with_data(folder, "data.npz", content.getvalue(), reference="data")

    return make


def odd_labels(rng, folder):
    held = rows(rng)
    held["y"] = rng.choice(
        [
            held["y"] + 20_000_000,
            held["y"] * 2**40,
            held["y"] - 1,
            held["y"].astype(float),
            held["y"].astype("U3"),
            held["y"][:, None],
            np.eye(10)[held["y"]],
            held["y"][:0],
            np.array(3),
            held["y"] > 4,
            np.full(40, np.nan),
            held["y"].astype("u8") + np.uint64(2**63),
            np.arange(40) * 1000,
            held["y"].astype(complex),
            held["y"].astype("M8[s]"),
            np.zeros((40, 0), int),
        ]
    )
    return with_data(folder, "data.npz", saved(held))


def odd_inputs(rng, folder):
    held = rows(rng)
    x = held["x"]
    spoiled_x = x.copy()
    spoiled_x[rng.randrange(40), 0, rng.randrange(8), rng.randrange(8)] = rng.choice([np.nan, np.inf, -np.inf, 1e38, -1])
    held["x"] = rng.choice(
        [
            spoiled_x,
            x.astype("f8"),
            x.astype("f2"),
            x.astype(complex),
            (x * 255).astype("i4"),
            x > 0.5,
            x[:0],
            x[:, :0],
            x[0, 0, 0],
            x * 300,
            x.astype("U8"),
            x.astype(">f4"),
            np.zeros((40, 1, 1, 1, 1, 1, 8), "f4"),
            np.float32(3),
            x.astype("M8[s]"),
            x.reshape(40, 64),
            x[:3],
            np.zeros((40, 2**18), "f4"),
        ]
    )
    return with_data(folder, "data.npz", saved(held))


def objects(rng, folder):
    held = rows(rng)
    held[rng.choice("xy")] = np.array([Payload()] * 40, dtype=object)
    return with_data(folder, "data.npz", saved(held))


def odd_members(rng, folder):
    held = rows(rng)
    renamed = rng.choice(
        [{"X": held["x"], "Y": held["y"]}, {"x": held["x"]}, {}, {"y": held["y"]}, {"x/é": held["x"]}, {"arr_0": held["x"]}]
    )
    return with_data(folder, "data.npz", saved(renamed))


def another_file(rng, folder):
    content = rng.choice(
        [b"", b"PK\5\6" + bytes(18), b"\x93NUMPY\1\0", bytes(10_000), b"x,y\n1,2\n", "é".encode("latin1"), b"\x80\2}."]
    )
    return with_data(folder, rng.choice(["data.npz", "data.npy", "data.csv"]), content)


def without_labels(rng, folder):
    """The inputs of an imitating attacker, read from the same kinds of file."""
    held = rows(rng)
    held.pop("y")
    content = SPOIL[rng.choice(list(SPOIL))](rng, saved(held))
    (folder / "spare.npz").write_bytes(content)
    case = with_data(folder, "digits")
    return type(case)((*case.arguments, "--unlabelled", "spare.npz"))


VARIANTS = {
    **{how: spoiled(how, compressed=False) for how in SPOIL},
    **{f"{how}, compressed": spoiled(how, compressed=True) for how in SPOIL},
    **{f"{how}, inside": inside(how) for how in (*SPOIL, "values")},
    "odd labels": odd_labels,
    "odd inputs": odd_inputs,
    "Python objects": objects,
    "odd members": odd_members,
    "another kind of file": another_file,
    "spoiled inputs without labels": without_labels,
}
