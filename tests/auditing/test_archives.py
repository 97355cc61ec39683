"""An archive is examined before torch loads it: what only computes answers the same, what may do more is refused by name."""

import contextlib
import io
import json
import shutil
import warnings
import zipfile

import pytest
import torch
from torch import nn
from torch.nn import functional

from holdfast.auditing.loading.operations import allowed_operations
from holdfast.auditing.loading.target import load_target
from holdfast.core.errors import InputError, UnsafePickleError

X = torch.rand(4, 1, 8, 8)
MARK = "executed.bin"  # what a hostile archive would write into the current folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Each test stands in an empty folder, and torch may say that TorchScript is deprecated."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path


# --- honest networks ---


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, stride=2, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True)])
        self.acts = nn.ModuleDict({"silu": nn.SiLU(), "pre-lu": nn.PReLU(), "hard": nn.Hardswish()})
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        for norm in self.norms:
            x = functional.relu(x + norm(x), inplace=True)
        for act in self.acts.values():
            x = act(x)
        x = functional.avg_pool2d(functional.pad(x, [1, 1, 1, 1], mode="reflect"), 2)
        return functional.log_softmax(self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1)), -1)


class Flowing(nn.Module):
    """Loops, branches, lists, dictionaries and an assertion."""

    def __init__(self):
        super().__init__()
        self.layer, self.drop, self.head = nn.Linear(64, 64), nn.Dropout(0.3), nn.Linear(64, 10)

    def forward(self, x):
        h = x.flatten(1)
        kept: list[torch.Tensor] = []
        for step in range(3):
            h = self.layer(h).tanh()
            if bool(h.sum() > 0):
                h = h * 2
            kept.append(h + step)
        parts: dict[str, torch.Tensor] = {"first": kept[0], "last": kept[2]}
        assert h.dim() == 2, "a sentence that names torch.save is only a text"
        return self.head(self.drop(parts["first"] - parts["last"] * 0.5 + torch.stack(kept).mean(0)))


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 1)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 10)

    def forward(self, x):
        h = self.encoder(self.embed(x[:, 0]))
        return self.head(functional.gelu(self.norm(h + self.attention(h, h, h)[0])).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.head = kind(8, 16, batch_first=True, num_layers=2, bidirectional=True), nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.rnn(x[:, 0])[0][:, -1])


class Indexing(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(17, 6), nn.Linear(6, 10)
        self.register_buffer("margin", torch.tensor([0.5]))

    def forward(self, x):
        h = self.table((x.flatten(1) * 16).long().clamp(0, 16)).mean(1)
        h = h / h.norm(dim=1, keepdim=True).clamp_min(1e-6)
        margin = torch.where(h.sum(1, keepdim=True) > 0, self.margin, -self.margin)
        return torch.einsum("bi,oi->bo", h, self.head.weight) + margin


def quantized():
    tools = torch.ao.quantization
    net = nn.Sequential(tools.QuantStub(), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10), tools.DeQuantStub())
    net.eval().qconfig = tools.get_default_qconfig("fbgemm")
    tools.prepare(net, inplace=True)
    net(X)
    return tools.convert(net)


NETWORKS = {
    "residual": Residual,
    "flowing": Flowing,
    "attending": Attending,
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU),
    "indexing": Indexing,
    "upsampling": lambda: nn.Sequential(
        nn.ConvTranspose2d(1, 4, 2, 2), nn.ELU(), nn.PixelShuffle(2), nn.Flatten(), nn.LazyLinear(10)
    ),
    "quantized": quantized,
    "quantized lstm": lambda: torch.ao.quantization.quantize_dynamic(Recurrent(nn.LSTM), {nn.LSTM, nn.Linear}, dtype=torch.qint8),
}
IMPOSSIBLE = {("flowing", "exported"), ("quantized", "exported"), ("quantized lstm", "exported"), ("indexing", "scripted")}


def written(net, how):
    """The network `net` as an archive in the current folder."""
    if how == "exported":
        batch = torch.export.Dim("batch", min=1, max=4096)
        torch.export.save(torch.export.export(net, (X,), dynamic_shapes=({0: batch},)), "net.pt2")
        return "net.pt2"
    scripted = torch.jit.trace(net, X, check_trace=False) if how == "traced" else torch.jit.script(net)
    (torch.jit.freeze(scripted) if how == "frozen" else scripted).save("net.ts")
    return "net.ts"


@pytest.mark.parametrize("how", ["traced", "scripted", "frozen", "exported"])
@pytest.mark.parametrize("name", NETWORKS)
def test_an_honest_archive_loads_and_gives_equal_logits(name, how):
    if (name, "scripted" if how == "frozen" else how) in IMPOSSIBLE:
        pytest.skip("torch cannot make this archive")
    torch.manual_seed(0)
    net = NETWORKS[name]().eval()
    with torch.no_grad():
        expected = net(X)
        loaded = load_target(written(net, how))
        assert torch.allclose(loaded.target(X), expected, atol=1e-5)
    assert not loaded.unsafe


def test_a_network_that_was_defined_in_a_script_is_in_no_module():
    """Its class is ``__torch__.Plain``, and its pickle names the module ``__torch__`` alone."""
    plain = type("Plain", (nn.Sequential,), {"__module__": "__main__"})(nn.Flatten(), nn.Linear(64, 10))
    torch.jit.trace(plain, X).save("net.ts")
    assert torch.equal(load_target("net.ts").target(X), plain(X))


# --- TorchScript that does more than compute ---


class Saving(nn.Module):
    def forward(self, x):
        torch.save(x, "executed.bin")
        return x.flatten(1)


class Mapping(nn.Module):
    def forward(self, x):
        return x.flatten(1) + torch.from_file("executed.bin", True, 4, dtype=torch.float32).sum()


class Waking(nn.Module):
    """Writes when it is loaded."""

    @torch.jit.export
    def __getstate__(self):
        return torch.zeros(3), self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        torch.save(state[0], "executed.bin")
        self.training = state[1]

    def forward(self, x):
        return x.flatten(1)


def helper(x: torch.Tensor) -> torch.Tensor:
    torch.save(x, "executed.bin")
    return x


class Calling(nn.Module):
    def forward(self, x):
        return helper(x).flatten(1)


def edited(line):
    """A traced network whose code begins with `line`."""

    def make():
        return rewritten(
            written(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "traced"), ".py", lambda code: with_line(code, line)
        )

    return make


def with_line(code, line):
    head, mark, rest = code.decode().partition("    input: Tensor) -> Tensor:\n")
    if not mark:
        return code
    return f"{head}{mark}    {line}\n{rest}".encode()


def rewritten(name, ending, change):
    """The archive `name` with its records of this ending changed; `change` takes and gives bytes."""
    with zipfile.ZipFile(name) as honest:
        records = {entry: honest.read(entry) for entry in honest.namelist()}
    with zipfile.ZipFile(f"changed-{name}", "w") as archive:
        for entry, content in records.items():
            archive.writestr(entry, change(content) if entry.endswith(ending) else content)
    return f"changed-{name}"


def scripted(kind):
    def make():
        torch.jit.script(kind()).save("net.ts")
        return "net.ts"

    return make


def twice():
    """Honest code and hostile code under one name: torch's reader finds the hostile one, Python's the honest one."""
    torch.jit.script(nn.Flatten()).save("net.ts")
    with zipfile.ZipFile("net.ts") as honest, zipfile.ZipFile("twice.ts", "w") as archive:
        for name in honest.namelist():
            code = honest.read(name)
            if name.endswith(".py"):
                archive.writestr(name, code.replace(b"    return", b'    torch.save(input, "executed.bin")\n    return', 1))
            archive.writestr(name, code)
    return "twice.ts"


HOSTILE_SCRIPTS = {
    "saving": (scripted(Saving), "aten::save"),
    "mapping a file": (scripted(Mapping), "aten::from_file"),
    "while it is loaded": (scripted(Waking), "aten::save"),
    "in a submodule": (scripted(lambda: nn.Sequential(nn.ReLU(), Saving())), "aten::save"),
    "in a function": (scripted(Calling), "aten::save"),
    "by its namespace": (edited('ops.aten.save(input, "executed.bin")'), "aten::save"),
    "by another name": (edited('f = torch.save\n    f(input, "executed.bin")'), "aten::save"),
    "by a text": (edited('getattr(torch, "save")(input, "executed.bin")'), "save"),
    "by two texts": (edited('getattr(torch, "sa" "ve")(input, "executed.bin")'), "save"),
    "by an escaped text": (edited('getattr(torch, "s\\141ve")(input, "executed.bin")'), "save"),
}


@pytest.mark.parametrize("kind", HOSTILE_SCRIPTS)
def test_torchscript_that_writes_files_is_refused_by_name_before_it_is_loaded(kind, here):
    make, operation = HOSTILE_SCRIPTS[kind]
    path = make()
    (here / MARK).unlink(missing_ok=True)  # saving a module runs its __getstate__, not its __setstate__
    with pytest.raises(
        UnsafePickleError, match=rf"`model` is .*the operation `{operation}`.*Nothing of it was executed.*--unsafe-pickle"
    ):
        load_target(path)
    assert not (here / MARK).exists()
    torch.jit.load(path)(X)
    assert (here / MARK).exists(), "the control: torch alone runs it"


def test_an_archive_with_one_name_twice_is_refused(here):
    path = twice()
    with pytest.raises(InputError, match=r"holds the record .* twice"):
        load_target(path)
    with zipfile.ZipFile(path) as archive:
        assert not any(b"executed" in archive.read(name) for name in archive.namelist())
    torch.jit.load(path)(X)
    assert (here / MARK).exists(), "the control: torch alone runs it"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ops.mine.conv(input)", "`mine::conv`"),
        ("torch.autograd.backward(input)", "`aten::backward`"),
        ("torch.manual_seed(3)", "`aten::manual_seed`"),
        ("o = ops.aten", "the operation `aten`"),
        ("t = torch", "'torch' as a value"),
        ("a = unknown(input)", "'unknown' as a value"),
        ("a = input.unknown", "the operation `unknown`"),
        ('input.save("executed.bin")', "the operation `save`"),
        ('self.save("executed.bin")', "the operation `save`"),
        ("a : __torch__.torch.classes.mine.Socket = input", "class `torch.classes.mine.Socket`"),
        ("getattr(input, CONSTANTS.c0)", "a computed text"),
        ("ops.prim.rpc_async(input)", "`prim::rpc_async`"),
    ],
)
def test_what_the_list_does_not_name_is_refused(line, message):
    with pytest.raises(UnsafePickleError, match=message):
        load_target(edited(line)())


@pytest.mark.parametrize("asked", ["torch.classes.mine.Socket", "os.system", "torch.distributed.rpc.RRef"])
def test_a_pickle_in_torchscript_that_asks_for_a_foreign_class_is_refused(asked):
    path = written(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "traced")
    module, _, name = (f"__torch__.{asked}" if asked.startswith("torch.classes") else asked).rpartition(".")
    spoiled = rewritten(path, "data.pkl", lambda content: content[:2] + f"c{module}\n{name}\n0".encode() + content[2:])
    with pytest.raises(UnsafePickleError, match=asked.replace(".", r"\.")):
        load_target(spoiled)


@pytest.mark.parametrize("text", ["# coding: utf-7\n", "# type: (Tensor) -> Tensor\n", "x = 'é'\n", "x = (\n", "\0"])
def test_code_that_readers_take_for_different_things_is_refused(text):
    path = written(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "traced")
    spoiled = rewritten(path, ".py", lambda content: text.encode() + content)
    if text.startswith("# coding"):
        assert load_target(spoiled).target(X).shape == (4, 10)  # a comment is a comment, whatever coding it names
    else:
        with pytest.raises(InputError, match="cannot be parsed"):
            load_target(spoiled)


@pytest.mark.parametrize(
    ("ending", "change"),
    [("/data/0", lambda record: record[:1]), ("data.pkl", lambda record: record.replace(b"M\x80\x02tQ", b"J\x00\x00\x00\x10tQ"))],
    ids=["a short record", "a long statement"],
)
def test_a_pickle_that_states_more_numbers_than_lie_beside_it_is_refused(ending, change):
    """Torch alone reads the memory behind the record."""
    path = written(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "traced")
    spoiled = rewritten(path, ending, change)
    with pytest.raises(InputError, match=r"states \d+ bytes for '\d', which has \d+"):
        load_target(spoiled)
    assert torch.jit.load(spoiled) is not None, "the control: torch alone takes it"


def test_records_that_torch_does_not_need_never_reach_it():
    path = written(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "traced")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("net/bytecode.pkl", b"not a pickle")
        archive.writestr("net/extra/notes.txt", b"hello")
        archive.writestr("net/code/__torch__.py.debug_pkl", b"not a pickle")
    network = load_target(path).target.model
    with zipfile.ZipFile(io.BytesIO(network.content)) as kept:
        names = kept.namelist()
    assert any(name.endswith("data.pkl") for name in names)
    assert not any("bytecode" in name or "extra" in name or "debug" in name for name in names)


@pytest.mark.parametrize("make", [scripted(Saving), scripted(Waking)], ids=["saving", "while it is loaded"])
def test_what_is_refused_runs_after_the_users_double_consent(make, here, monkeypatch):
    path = make()
    (here / MARK).unlink(missing_ok=True)
    with pytest.raises(UnsafePickleError, match="was not confirmed"):
        load_target(path, unsafe_pickle=True)
    assert not (here / MARK).exists()
    monkeypatch.setenv("HOLDFAST_UNSAFE_PICKLE", "1")
    loaded = load_target(path, unsafe_pickle=True)
    assert loaded.unsafe
    loaded.target(X)
    assert (here / MARK).exists()


# --- exported programs that do more than compute ---

PAYLOAD = "__import__('pathlib').Path('executed.bin').touch()"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """An exported program, and its graph."""
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    batch = torch.export.Dim("batch", min=2, max=4096)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    torch.export.save(torch.export.export(net, (X,), dynamic_shapes=({0: batch},)), path)
    return path


def spoiled(program, spoil):
    """The program with its graph changed in place by `spoil`."""
    shutil.copy(program, "net.pt2")

    def change(content):
        graph = json.loads(content)
        spoil(graph)
        return json.dumps(graph).encode()

    return rewritten("net.pt2", "models/model.json", change)


def guard(graph):
    graph["guards_code"] = [f"{PAYLOAD} is None"]


def expression(graph):
    sizes = graph["graph_module"]["graph"]["tensor_values"]["flatten"]["sizes"]
    sizes[0]["as_expr"]["expr_str"] = f"[{PAYLOAD}, Symbol('s0')][1]"


def call(target, *arguments):
    def spoil(graph):
        node = graph["graph_module"]["graph"]["nodes"][1]
        node["target"] = target
        node["inputs"] = [{"name": "", "arg": argument, "kind": 1} for argument in arguments]

    return spoil


def tensor_name(graph):
    """The input is called by a piece of Python, which torch writes into the source of a function."""
    name = f"x=[{PAYLOAD}]"
    text = (
        json.dumps(graph).replace('{"name": "input"}', json.dumps({"name": name})).replace('"input": {', f"{json.dumps(name)}: {{")
    )
    graph.update(json.loads(text))


def container(graph):
    signature = graph["graph_module"]["module_call_graph"][0]["signature"]
    protocol, tree = json.loads(signature["in_spec"])
    leaf = {"type": None, "context": None, "children_spec": []}
    enumeration = {"__enum__": True, "fqn": "hostile_module:Key", "name": "A"}
    inner = {"type": "builtins.dict", "context": json.dumps([enumeration]), "children_spec": [leaf]}
    tree["children_spec"][0]["children_spec"] = [inner]
    signature["in_spec"] = json.dumps([protocol, tree])


TENSOR = {"as_tensor": {"name": "flatten"}}
HOSTILE_PROGRAMS = {
    "an expression": (expression, r"the expression \"\[__import__"),
    "a function of torch": (call("torch.save", TENSOR, {"as_string": MARK}), r"the operation `torch.save`"),
    "a module behind torch": (call("torch.os.mkdir", {"as_string": MARK}), r"the operation `torch.os.mkdir`"),
    "an operation": (call("torch.ops.aten.from_file.default", {"as_string": MARK}), r"`torch.ops.aten.from_file.default`"),
    "a custom operation": (call("torch.ops.mine.send.default", TENSOR), r"the operation `torch.ops.mine.send.default`"),
    "a kernel": (call("torch.ops.higher_order.triton_kernel_wrapper_mutation", TENSOR), r"higher_order.triton_kernel_wrapper"),
    "an extension": (call("#mine:send", TENSOR), r"the operation `#mine:send`"),
    "the name of a tensor": (tensor_name, r"as a name"),
    "a container": (container, r"as a key"),
}  # fmt: skip
RUN_BY_TORCH = ("an expression", "the name of a tensor")


@pytest.mark.parametrize("kind", HOSTILE_PROGRAMS)
def test_an_exported_program_that_does_more_than_compute_is_refused_by_name(kind, program, here):
    spoil, message = HOSTILE_PROGRAMS[kind]
    path = spoiled(program, spoil)
    with pytest.raises(UnsafePickleError, match=rf"`model` is .*{message}.*Nothing of it was executed.*--unsafe-pickle"):
        load_target(path)
    assert not (here / MARK).exists()


@pytest.mark.parametrize("kind", [*RUN_BY_TORCH, "a guard"])
def test_the_control_torch_alone_would_run_them(kind, program, here):
    path = spoiled(program, guard if kind == "a guard" else HOSTILE_PROGRAMS[kind][0])
    with contextlib.suppress(Exception):  # what follows the payload may fail
        torch.export.load(path).module()(X)
    assert (here / MARK).exists()


def test_guards_are_left_out_and_never_compiled(program, here):
    loaded = load_target(spoiled(program, guard)).target
    expected = load_target(program).target
    assert torch.equal(loaded(X), expected(X))
    assert not (here / MARK).exists()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Symbol('s31', positive=True, integer=True)", True),
        ("2*s0 + Mod(s1, 8)//3", True),
        ("Eq(u0, 1)", True),
        ("Max(1, FloorDiv(s0 - 1, 2)**2)", True),
        ("s0.__class__", False),
        ("lambda: 0", False),
        ("open('x')", False),
        ("Symbol('__import__')", False),
        ("[s0]", False),
        ("9**9**9**9", False),
        ("((9**99)**99)**99", False),
        ("9**(9*s0)", False),
        ("f'{s0}'", False),
        ("s0 if s1 else s2", False),
        ("'a'", False),
        ("", False),
    ],
)
def test_only_arithmetic_of_symbols_and_numbers_is_an_expression(text, plain):
    from holdfast.auditing.loading.exported import _check_expression

    if plain:
        _check_expression(text)
    else:
        with pytest.raises(UnsafePickleError, match="the expression"):
            _check_expression(text)


# --- the list ---


def test_no_allowed_operation_takes_the_name_of_a_file():
    """By their schemas: an argument that is a text is a mode, a message, a key or a unit, never a path."""
    for schema in torch._C._jit_get_all_schemas():
        if schema.name in allowed_operations():
            texts = {argument.name for argument in schema.arguments if "str" in str(argument.type)}
            assert not texts & {"filename", "path", "file", "url", "name", "group_name"}


@pytest.mark.parametrize("name", ["save", "from_file", "manual_seed", "set_data", "_print", "backward", "owner", "to_here"])
def test_operations_that_reach_outside_are_not_on_the_list(name):
    assert f"aten::{name}" not in allowed_operations()
    assert torch._C._jit_get_schemas_for_operator(f"aten::{name}"), "torch knows it"
