"""Tables of measured curves, which the stress of device variation takes."""

from torture_case import NETWORK, SPOIL, Case

REPEATS = 8


def table(rng):
    lines = ["# drive, outputs of three devices", "drive,a,b,c"]
    lines += [
        f"{drive / 10:.3f},{','.join(f'{max(0, drive / 10) + rng.gauss(0, 0.05):.4f}' for _ in range(3))}"
        for drive in range(-30, 31)
    ]
    return "\n".join(lines).encode()


def with_curves(folder, content, name="curves.csv"):
    (folder / "net.py").write_text(NETWORK)
    (folder / name).write_bytes(content)
    return Case(
        (
            "plan",
            "--model",
            "net.py:make",
            "--data",
            "digits",
            "--examples",
            "20",
            "--stress",
            "activation_variation",
            "--allow-low-accuracy",
            "--set",
            f'device.activation_variation.curves="{name}"',
        )
    )


def spoiled(how):
    return lambda rng, folder: with_curves(folder, SPOIL[how](rng, table(rng)))


def odd_cells(rng, folder):
    lines = table(rng).decode().splitlines()
    place = rng.randrange(2, len(lines))
    cells = lines[place].split(",")
    cells[rng.randrange(len(cells))] = rng.choice(
        ["nan", "inf", "", "x", "1e400", "1_0", "٣", '"a\nb"', "1" * 5000, "0x1", "-", "1;2", "\0"]
    )
    lines[place] = ",".join(cells)
    return with_curves(folder, "\n".join(lines).encode())


def odd_tables(rng, folder):
    content = rng.choice(
        [
            b"",
            b"\xff\xfe1\x00,\x002\x00",
            b"1,2\n" * 3,
            b"1,2\n2,1,3\n",
            b"," * 200_000,
            b'"' + b"a" * 300_000,
            b"1,2\n0,1\n",
            b"1\n2\n3\n",
            b"a,b\n",
            "drive,é\n0,1\n1,2\n".encode("latin1"),
            b"0,1\n1,2\n" + b"2,3\n" * 100_000,
            b"\0,\0\n",
            b"PK\3\4",
            b"0,1\n0,1\n0,1\n",
            b"# only a comment\n",
        ]
    )
    return with_curves(folder, content, rng.choice(["curves.csv", "curves.txt", "curves.npz", "curves.json", "curves"]))


VARIANTS = {**{how: spoiled(how) for how in SPOIL}, "odd cells": odd_cells, "odd tables": odd_tables}
