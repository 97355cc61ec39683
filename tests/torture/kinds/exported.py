"""Exported programs."""

import functools
import io
import json
import pickle
import warnings
import zipfile

import torch
from torch import nn
from torture_case import MARK, PAYLOAD, SPOIL, flip, with_model

REPEATS = 8
TEXTS = [
    f"[{PAYLOAD}]",
    f"x=[{PAYLOAD}]",
    f"{PAYLOAD}",
    f"x):\n    {PAYLOAD}\n#",
    f"'+str({PAYLOAD})+'",
    f"\n{PAYLOAD}\n",
    "__class__",
    "a.__init__",
    "é",
    "",
    "9**9**9**9",
    "x" * 100_000,
    "torch.save",
    "torch.os.system",
    "math.factorial",
    "_operator.methodcaller",
    "torch.ops.aten.from_file.default",
    "#a:b",
    "torch.ops.higher_order.call_torchbind",
    "torch.hub.load",
    "torch.utils.cpp_extension.load_inline",
]
ODD = [None, True, -1, 2**70, 1e400, float("nan"), [], {}, [[]], "x", {"as_int": 2**62}, {"as_expr": {"expr_str": PAYLOAD}}]


class Payload:
    """What unpickling must never run."""

    def __reduce__(self):
        import os

        return os.system, (f"touch {MARK}",)


@functools.cache
def honest():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)).eval()
    content = io.BytesIO()
    batch = torch.export.Dim("batch", min=2, max=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(net, (torch.rand(4, 1, 8, 8),), dynamic_shapes=({0: batch},)), content)
    return content.getvalue()


def repacked(change, *, extra=(), left_out=""):
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(honest())) as held, zipfile.ZipFile(result, "w") as archive:
        names = held.namelist()
        for name in names:
            if not left_out or not name.endswith(left_out):
                archive.writestr(name, change(name, held.read(name)))
        for name, content in extra:
            archive.writestr(f"{names[0].partition('/')[0]}/{name}", content)
    return result.getvalue()


def spoiled(how):
    return lambda rng, folder: with_model(folder, "m.pt2", SPOIL[how](rng, honest()))


def inside(rng, folder):
    """One record is spoiled before it is packed, so that its checksum is right."""
    with zipfile.ZipFile(io.BytesIO(honest())) as held:
        chosen = rng.choice([name for name in held.namelist() if held.read(name)])
    how = rng.choice(list(SPOIL.values()))
    return with_model(folder, "m.pt2", repacked(lambda name, record: how(rng, record) if name == chosen else record))


def in_the_numbers(rng, folder):
    record = f"weights/weight_{rng.randrange(4)}"
    return with_model(folder, "m.pt2", repacked(lambda name, content: flip(rng, content) if name.endswith(record) else content))


def places(value, found=()):
    """Every place in a tree of JSON: its container and its key."""
    found = list(found)
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        found.append((value, key))
        found += places(entry)
    return found


def changed_graph(spoil, ending="models/model.json"):
    def change(name, record):
        if not name.endswith(ending):
            return record
        graph = json.loads(record)
        spoil(graph)
        return json.dumps(graph).encode()

    return repacked(change)


def odd_values(ending):
    def make(rng, folder):
        def spoil(graph):
            for container, key in rng.choices(places(graph), k=rng.randint(1, 3)):
                container[key] = rng.choice(ODD)

        return with_model(folder, "m.pt2", changed_graph(spoil, ending))

    return make


def hostile_texts(rng, folder):
    """A text anywhere in the graph becomes a piece of Python, an expression or another operation, everywhere it stands."""
    text = rng.choice(TEXTS)

    def spoil(graph):
        chosen = rng.choice([container[key] for container, key in places(graph) if isinstance(container[key], str)])
        for container, key in places(graph):
            if container[key] == chosen:
                container[key] = text

    return with_model(folder, "m.pt2", changed_graph(spoil))


def hostile_fields(rng, folder):
    text = rng.choice(TEXTS)

    def spoil(graph):
        field = rng.choice(["target", "expr_str", "guards_code", "in_spec", "verifiers", "forward_arg_names", "metadata", "fqn"])
        if field in ("guards_code", "verifiers"):
            graph[field] = [text]
            return
        for container, key in places(graph):
            if key == field:
                container[key] = (
                    [text]
                    if field == "forward_arg_names"
                    else {"custom": text, "nn_module_stack": text}
                    if field == "metadata"
                    else text
                )

    return with_model(folder, "m.pt2", changed_graph(spoil))


def hostile_calls(rng, folder):
    target = rng.choice(
        [
            "torch.save",
            "torch.os.system",
            "torch.load",
            "torch.ops.aten.from_file.default",
            "torch.jit.load",
            "torch.hub.load",
            "torch.os.mkdir",
            "_operator.methodcaller",
            "torch.ops.profiler._record_function_enter.default",
            "torch.utils.data.get_worker_info",
        ]
    )
    arguments = [{"as_string": text} for text in rng.choice([[MARK], [f"touch {MARK}"], [MARK, MARK]])]

    def spoil(graph):
        node = graph["graph_module"]["graph"]["nodes"][-1]
        node["target"] = target
        node["inputs"] = [{"name": "", "arg": argument, "kind": 1} for argument in arguments]

    return with_model(folder, "m.pt2", changed_graph(spoil))


def hostile_records(rng, folder):
    torch_file = io.BytesIO()
    torch.save((Payload(),), torch_file)
    record = rng.choice([pickle.dumps(Payload()), torch_file.getvalue()])
    place = rng.choice(
        [
            "data/sample_inputs/model.pt",
            "data/constants/opaque_obj_0",
            "data/constants/custom_obj_0",
            "data/aotinductor/model/a.so",
            "data/weights/model.pt",
            "data/weights/weight_0",
            "data/constants/model.pt",
            "data/executorch/m.pte",
            "DATA/CONSTANTS/OPAQUE_OBJ_0",
            "extra/a.txt",
            "models/other.json",
        ]
    )

    def spoil(name, content):
        if not name.endswith("_config.json"):
            return content
        held = json.loads(content)
        for entry in held["config"].values():
            entry["use_pickle"] = True
        if "constants" in name and "constants" in place:
            entry = {"path_name": place.rpartition("/")[2], "is_param": False, "use_pickle": True, "tensor_meta": None}
            held["config"]["a"] = entry
        return json.dumps(held).encode()

    return with_model(folder, "m.pt2", repacked(spoil, extra=[(place, record)], left_out=place))


def missing(rng, folder):
    left_out = rng.choice(["model.json", "weight_0", "archive_format", "archive_version", "config.json", "model.pt", "byteorder"])
    return with_model(folder, "m.pt2", repacked(lambda _, record: record, left_out=left_out))


def old_form(rng, folder):
    """The form of torch 2.6 and 2.7: records without a folder."""
    torch_file = io.BytesIO()
    torch.save(rng.choice([{}, Payload(), {"a": Payload()}]), torch_file)
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(honest())) as held, zipfile.ZipFile(result, "w") as archive:
        graph = next(held.read(name) for name in held.namelist() if name.endswith("models/model.json"))
        archive.writestr("version", rng.choice(["8.20", "8", "", "x.y"]))
        archive.writestr("serialized_exported_program.json", rng.choice([graph, b"{}", b"", b"[1]"]))
        for name in ("state_dict", "constants", "example_inputs"):
            archive.writestr(f"serialized_{name}.pt", torch_file.getvalue())
    return with_model(folder, "m.pt2", result.getvalue())


VARIANTS = {
    **{how: spoiled(how) for how in SPOIL},
    "a spoiled record": inside,
    "bits of the numbers flipped": in_the_numbers,
    "odd values in the graph": odd_values("models/model.json"),
    "odd values in the lists of tensors": odd_values("_config.json"),
    "hostile texts": hostile_texts,
    "hostile fields": hostile_fields,
    "hostile calls": hostile_calls,
    "hostile records": hostile_records,
    "missing records": missing,
    "the old form": old_form,
}
