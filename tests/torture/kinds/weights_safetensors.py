"""Files of safetensors: eight bytes of length, a header in JSON, then the tensors."""

import json
import struct

import torch
from safetensors.torch import save
from torture_case import SHAPES, SPOIL, flip, with_weights

REPEATS = 12


def honest(rng):
    torch.manual_seed(rng.randrange(2**31))
    return save({name: torch.randn(shape) for name, shape in SHAPES.items()})


def spoiled(how):
    return lambda rng, folder: with_weights(folder, "w.safetensors", SPOIL[how](rng, honest(rng)), reference="safetensors")


def in_the_tensors(rng, folder):
    content = honest(rng)
    return with_weights(
        folder, "w.safetensors", flip(rng, content, first=8 + struct.unpack("<Q", content[:8])[0]), reference="safetensors"
    )


def lying(rng, folder):
    """A header whose sizes, offsets, types or lengths are not true."""
    content = honest(rng)
    length = struct.unpack("<Q", content[:8])[0]
    header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
    entry = header[rng.choice(list(SHAPES))]
    lie = rng.randrange(9)
    if lie == 0:
        entry["data_offsets"] = [0, 2 ** rng.randint(8, 62)]
    elif lie == 1:
        entry["shape"] = [2 ** rng.randint(10, 62), 2 ** rng.randint(2, 40)]
    elif lie == 2:
        entry["dtype"] = rng.choice(["F8", "object", "BF16", "I64", "F64", ""])
    elif lie == 3:
        entry["data_offsets"] = [rng.randrange(-1000, 1000), rng.randrange(-1000, 1000)]
    elif lie == 4:
        header = rng.choice([[], None, "x", {"1.weight": None}, {"1.weight": []}, {}, {"__metadata__": 3}])
    elif lie == 5:
        entry["shape"] = rng.choice([None, "x", [-1, 64], [1.5], {}, [[]]])
    elif lie == 6:
        header = {f"{name}\udce9é\0": value for name, value in header.items()}
    text = json.dumps(header).encode()
    if lie == 7:
        text = b"[" * 100_000
    claimed = rng.choice([0, 2**40, 2**63, len(text) + 1, len(text) - 1]) if lie == 8 else len(text)
    return with_weights(folder, "w.safetensors", struct.pack("<Q", claimed) + text + body, reference="safetensors")


def not_finite(rng, folder):
    values = torch.full((16, 64), rng.choice([float("nan"), float("inf"), -float("inf"), 3e38]))
    tensors = {name: torch.zeros(shape) for name, shape in SHAPES.items()} | {"1.weight": values}
    return with_weights(folder, "w.safetensors", save(tensors), reference="safetensors")


def of_another_kind(rng, folder):
    content = rng.choice([b"", b"\0", b"PK\3\4", b"\x80\2}.", b"\x93NUMPY", b"{}", "é".encode("latin1") * 50])
    return with_weights(folder, "w.safetensors", content)


VARIANTS = {
    **{how: spoiled(how) for how in SPOIL},
    "bits of the tensors flipped": in_the_tensors,
    "a lying header": lying,
    "values that are not finite": not_finite,
    "something else": of_another_kind,
}
