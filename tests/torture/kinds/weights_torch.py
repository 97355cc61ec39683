"""What torch.save writes: a zip archive with a pickle, an older file of pickles in a row, or a bare pickle."""

import io
import pickle
import struct
import zipfile

import torch
from torture_case import MARK, SHAPES, SPOIL, flip, with_weights

REPEATS = 8
GLOBALS = [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("subprocess", "Popen"),
    ("torch", "save"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch._utils", "_import_dotted_name"),
    ("torch.serialization", "load"),
    ("torch.jit", "load"),
    ("torch", "from_file"),
    ("numpy", "load"),
    ("numpy", "fromfile"),
    ("pickle", "loads"),
    ("marshal", "loads"),
    ("shutil", "rmtree"),
    ("pathlib", "Path"),
    ("functools", "partial"),
    ("operator", "attrgetter"),
    ("webbrowser", "open"),
    ("runpy", "run_path"),
    ("code", "interact"),
    ("importlib", "import_module"),
    ("sys", "exit"),
    ("os", "_exit"),
    ("torch._dynamo", "optimize"),
    ("collections", "OrderedDict.__class__"),
    ("torch.storage", "_load_from_bytes"),
    ("codecs", "decode"),
]


def state(rng):
    torch.manual_seed(rng.randrange(2**31))
    return {name: torch.randn(shape) for name, shape in SHAPES.items()}


def saved(content, *, zipped=True):
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def spoiled(how, *, zipped):
    def make(rng, folder):
        content = SPOIL[how](rng, saved(state(rng), zipped=zipped))
        return with_weights(folder, rng.choice(["w.pt", "w.pth", "w.bin"]), content, reference="torch")

    return make


def repacked(content, ending, change):
    """The archive `content` with the record of this ending changed."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as honest, zipfile.ZipFile(result, "w") as archive:
        for name in honest.namelist():
            record = honest.read(name)
            archive.writestr(name, change(record) if name.endswith(ending) else record)
    return result.getvalue()


def in_the_pickle(how):
    return lambda rng, folder: with_weights(
        folder, "w.pt", repacked(saved(state(rng)), "data.pkl", lambda record: SPOIL[how](rng, record)), reference="torch"
    )


def in_the_numbers(rng, folder):
    record = f"data/{rng.randrange(4)}"
    return with_weights(folder, "w.pt", repacked(saved(state(rng)), record, lambda content: flip(rng, content)), reference="torch")


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def called(rng):
    """A pickle that calls one of many functions, written in one of many ways."""
    module, name = rng.choice(GLOBALS)
    argument = rng.choice([f"touch {MARK}", f"__import__('os').system('touch {MARK}')", MARK])
    words = short(argument) + b"\x85"
    return rng.choice(
        [
            b"\x80\x02c" + f"{module}\n{name}\n".encode() + words + b"R.",
            b"\x80\x04" + short(module) + short(name) + b"\x93" + words + b"R.",
            b"\x80\x04" + short(module) + b"\x94" + short(name) + b"\x94h\x00h\x01\x93" + words + b"R.",
            b"(" + f"S'{argument}'\ni{module}\n{name}\n.".encode(),
            b"\x80\x02(c" + f"{module}\n{name}\n".encode() + short(argument) + b"o.",
            b"\x80\x02c" + f"{module}\n{name}\n".encode() + words + b"\x81.",
            b"\x80\x02}" + short("1.weight") + b"c" + f"{module}\n{name}\n".encode() + words + b"Rs.",
            b"\x80\x02ccollections\nOrderedDict\n)R}" + short("x") + b"c" + f"{module}\n{name}\n".encode() + b"sb.",
            b"\x80\x02\x82\x01" + words + b"R.",
            b"\x80\x04\x95" + struct.pack("<Q", 60) + short(module) + short(name) + b"\x93" + words + b"R.",
        ]
    )


def hostile(form):
    def make(rng, folder):
        program = called(rng)
        if form == "zip":
            program = repacked(saved(state(rng)), "data.pkl", lambda _: program)
        elif form == "old":
            program = saved(state(rng), zipped=False)[: rng.choice([0, 15])] + program
        return with_weights(folder, rng.choice(["w.pt", "w.ckpt", "w.pkl"]), program)

    return make


def swollen(rng, folder):
    """Instructions with enormous counts, depths and indices."""
    program = rng.choice(
        [
            b"\x80\x02" + b"]" * 200_000 + b"." + b"a" * 200_000,
            b"\x80\x02" + b"(" * 500_000 + b".",
            b"\x80\x02}r\xff\xff\xff\x7f.",
            b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
            b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"abc.",
            b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b"\xff" * 100 + b".",
            b"\x80\x02\x8b" + struct.pack("<i", -1) + b".",
            b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.",
            b"I" + b"9" * 100_000 + b"\n.",
            b"\x80\x02" + b"]\x94" + b"h\x00a" * 10 + b".",
            b"\x80\x02]q\x00h\x00a.",
            b"\x80\x02" + b"(" + b"2" * 1000 + b"t" + b"2\x86" * 60 + b".",
            b"\x80\x02" + b"K\x01" + b"2\x86" * 100_000 + b".",
        ]
    )
    if rng.random() < 0.6:
        program = repacked(saved(state(rng)), "data.pkl", lambda _: program)
    return with_weights(folder, "w.pt", program)


def lying(rng, folder):
    """A pickle that states other sizes, types or places than the numbers beside it have."""
    content = saved(state(rng))
    old, new = rng.choice(
        [
            (b"M\x00\x04tq", b"J\x00\x00\x00\x10tq"),
            (b"M\x00\x04tq", b"J\xff\xff\xff\xfftq"),
            (b"K\x10K@\x86", b"J\x00\x00\x00\x10K@\x86"),
            (b"K\x10K@\x86", b"J\xff\xff\xff\xffK@\x86"),
            (b"K@K\x01\x86", b"J\x00\x00\x00\x40K\x01\x86"),
            (b"FloatStorage", b"DoubleStorage"),
            (b"FloatStorage", b"UntypedStorage"),
            (b"FloatStorage", b"NopeStorage"),
            (b"X\x03\x00\x00\x00cpu", b"X\x04\x00\x00\x00cuda"),
            (b"X\x03\x00\x00\x00cpu", b"X\x03\x00\x00\x00xyz"),
            (b"X\x01\x00\x00\x000", b"X\x08\x00\x00\x00../../.."),
        ]
    )
    return with_weights(
        folder, "w.pt", repacked(content, "data.pkl", lambda record: record.replace(old, new, 1)), reference="torch"
    )


def odd_contents(rng, folder):
    content = rng.choice(
        [
            [],
            3,
            None,
            {},
            "text",
            {"1.weight": 3},
            {1: torch.zeros(2)},
            torch.zeros(3),
            {"state_dict": {}},
            {"a": {"b": torch.zeros(1)}},
            {name: torch.zeros(shape, dtype=torch.complex64) for name, shape in SHAPES.items()},
            {name: torch.zeros(shape).to_sparse() for name, shape in SHAPES.items()},
            {name: torch.zeros(shape, dtype=torch.int64) for name, shape in SHAPES.items()},
            {name: torch.zeros(shape, device="meta") for name, shape in SHAPES.items()},
            {name: torch.zeros(1).expand(shape) for name, shape in SHAPES.items()},
            {f"{name}é\n": torch.zeros(shape) for name, shape in SHAPES.items()},
        ]
    )
    return with_weights(folder, "w.pt", saved(content))


def other_files(rng, folder):
    content = rng.choice(
        [
            b"",
            b"\0" * 1000,
            b"\x80",
            b".",
            b"PK\3\4",
            b"PK\5\6" + bytes(18),
            pickle.dumps([1]),
            b"\x80\xff.",
            b"ustar" * 200,
            b"\x1f\x8b" * 9,
        ]
    )
    return with_weights(folder, rng.choice(["w.pt", "w.tar", "w.pkl"]), content)


def old_tar(rng, folder):
    """The oldest form, a tar archive whose parts are pickles."""
    import tarfile

    program = called(rng)
    with tarfile.open(folder / "w.tar", "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            entry = tarfile.TarInfo(name)
            entry.size = len(program)
            archive.addfile(entry, io.BytesIO(program))
    return with_weights(folder, "w.tar")


VARIANTS = {
    **{f"{how}, zip": spoiled(how, zipped=True) for how in SPOIL},
    **{f"{how}, old form": spoiled(how, zipped=False) for how in SPOIL},
    **{f"{how}, in the pickle": in_the_pickle(how) for how in SPOIL},
    "bits of the numbers flipped": in_the_numbers,
    **{f"a pickle that calls a function, {form}": hostile(form) for form in ("zip", "old", "bare")},
    "enormous counts": swollen,
    "lying sizes": lying,
    "odd contents": odd_contents,
    "another kind of file": other_files,
    "an old tar": old_tar,
}
