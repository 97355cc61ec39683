"""TorchScript archives."""

import functools
import io
import warnings
import zipfile

import torch
from torch import nn
from torture_case import MARK, SPOIL, flip, with_model

REPEATS = 10
LINES = [
    'torch.save(input, "executed")',
    'ops.aten.save(input, "executed")',
    'f = torch.save\n    f(input, "executed")',
    'getattr(torch, "save")(input, "executed")',
    'x = torch.from_file("executed", True, 4)',
    'x = ops.aten.from_file("executed", True, 4)',
    "ops.prim.PythonOp(input)",
    'ops.prim.rpc_sync("a", "b", [])',
    "ops.c10d.barrier()",
    "o = ops",
    't = torch\n    t.save(input, "executed")',
    'ops.mine.run("executed")',
    "x = __import__('os')",
    "x = open('executed', 'w')",
    "import os",
    "x = torch.ops.aten.save",
    "x = input.__class__",
    'exec("touch executed")',
    "x = self.nothing.here",
    "torch.manual_seed(3)",
    "x = eval('1')",
    "x = __torch__.torch.classes.mine.Run()",
    "x = unchecked_cast(__torch__.torch.classes.dist_rpc.WorkerInfo, input)",
    'with torch.save(input, "executed"):\n      x = 1',
]


@functools.cache
def honest():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)).eval()
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(net, torch.rand(2, 1, 8, 8)), content)
    return content.getvalue()


def repacked(change, *, extra=(), left_out=""):
    """The honest archive with its records changed, one taken out, and others put in."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(honest())) as held, zipfile.ZipFile(result, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = held.namelist()
        for name in names:
            if not left_out or not name.endswith(left_out):
                archive.writestr(name, change(name, held.read(name)))
        for name, content in extra:
            archive.writestr(f"{names[0].partition('/')[0]}/{name}", content)
    return result.getvalue()


def spoiled(how):
    return lambda rng, folder: with_model(folder, rng.choice(["m.ts", "m.pt"]), SPOIL[how](rng, honest()))


def inside(ending):
    """One record is spoiled before it is packed, so that its checksum is right."""

    def make(rng, folder):
        how = rng.choice(list(SPOIL.values()))
        content = repacked(lambda name, record: how(rng, record) if name.endswith(ending) and record else record)
        return with_model(folder, "m.ts", content)

    return make


def in_the_numbers(rng, folder):
    record = f"/data/{rng.randrange(4)}"
    return with_model(folder, "m.ts", repacked(lambda name, content: flip(rng, content) if name.endswith(record) else content))


def hostile_code(rng, folder):
    line = rng.choice(LINES)

    def change(name, record):
        head, mark, rest = record.decode().partition("input: Tensor) -> Tensor:\n") if name.endswith(".py") else ("", "", "")
        return f"{head}{mark}    {line}\n{rest}".encode() if mark else record

    return with_model(folder, "m.ts", repacked(change))


def odd_code(rng, folder):
    text = rng.choice(
        [
            "(" * 5000,
            "x = " + "-" * 20_000 + "1",
            "é",
            "\0",
            "class A(Module):\n",
            "def f(:\n",
            "\\\n",
            "'''",
            "\ufeff",
            "a." * 9000 + "b",
            "# coding: utf-7\n",
            "# type: ignore\n",
            "[" * 300 + "]" * 300,
            "\t\n  x\n\ty\n",
            "9" * 10_000,
        ]
    )
    return with_model(
        folder,
        "m.ts",
        repacked(
            lambda name, record: (
                text.encode() + record if name.endswith("container.py") or (rng.random() < 0.3 and name.endswith(".py")) else record
            )
        ),
    )


def hostile_pickle(rng, folder):
    asked = rng.choice(
        [
            "os\nsystem",
            "builtins\neval",
            "__torch__.torch.classes.mine\nRun",
            "torch.distributed.rpc\nRRef",
            "torch\nload",
            "__torch__\nNo",
            "torch.jit._pickle\nrestore_type_tag",
            "torch._utils\n_rebuild_tensor_v2",
        ]
    )
    program = (
        b"\x80\x02c" + asked.encode() + b"\n" + rng.choice([b")R.", b")\x81}b.", b"X\x0e\x00\x00\x00touch executed\x85R.", b"."])
    )
    ending = rng.choice(["data.pkl", "constants.pkl"])
    return with_model(folder, "m.ts", repacked(lambda name, record: program if name.endswith(ending) else record))


def lying_sizes(rng, folder):
    old, new = rng.choice(
        [
            (b"K$tQ", b"J\x00\x00\x00\x10tQ"),
            (b"K$tQ", b"J\xff\xff\xff\xfftQ"),
            (b"K$tQ", b"J\xff\xff\xff\x7ftQ"),
            (b"(K\tK\tK\x03K\x01t", b"(J\xff\xff\xff\xffK\tK\x03K\x01t"),
            (b"(K\x04K\x01K\x03K\x03t", b"(J\x00\x00\x10\x00K\x01K\x03K\x03t"),
            (b"FloatStorage", b"DoubleStorage"),
            (b"FloatStorage", b"UntypedStorage"),
            (b"cpu", b"xpu"),
            (b"K\x00(K\x04K\x01", b"J\x00\x00\x00\x10(K\x04K\x01"),
        ]
    )
    if rng.random() < 0.3:  # the numbers are fewer than stated
        return with_model(folder, "m.ts", repacked(lambda name, record: record[:9] if "/data/" in name else record))
    return with_model(
        folder, "m.ts", repacked(lambda name, record: record.replace(old, new, 1) if name.endswith("data.pkl") else record)
    )


def records(rng, folder):
    """Records too few or too many."""
    if rng.random() < 0.5:
        left_out = rng.choice(["data.pkl", "constants.pkl", "version", ".py", "data/0", "byteorder"])
        return with_model(folder, "m.ts", repacked(lambda _, record: record, left_out=left_out))
    extra = rng.choice(
        [
            ("extra/run.py", b"1"),
            ("bytecode.pkl", b"\x80\2."),
            ("model.json", b"{}"),
            ("data.pkl", b"\x80\2}."),
            ("code/__torch__/new.py", b"import os\n"),
            ("../escape", b"x"),
            ("attributes.pkl", b"."),
            ("code/__torch__.py.debug_pkl", b"junk"),
            ("version", b"99"),
            ("DATA.PKL", b"\x80\2}."),
        ]
    )
    return with_model(folder, "m.ts", repacked(lambda _, record: record, extra=[extra]))


def writes_while_it_is_loaded(rng, folder):
    del rng
    source = "  def __setstate__(self, state: Tuple[Tensor, bool]) -> NoneType:\n"
    source += f'    torch.save((state)[0], "{MARK}")\n    return None\n'
    return with_model(
        folder, "m.ts", repacked(lambda name, record: record.rstrip() + b"\n" + source.encode() if name.endswith(".py") else record)
    )


VARIANTS = {
    **{how: spoiled(how) for how in SPOIL},
    **{f"spoiled {ending}": inside(ending) for ending in ("data.pkl", "constants.pkl", ".py", "version")},
    "bits of the numbers flipped": in_the_numbers,
    "hostile code": hostile_code,
    "odd code": odd_code,
    "a hostile pickle": hostile_pickle,
    "lying sizes": lying_sizes,
    "records too few or too many": records,
    "writes while it is loaded": writes_while_it_is_loaded,
}
