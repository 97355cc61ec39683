"""Settings of an audit, from a TOML file, from flags, and from texts of ``KEY=VALUE``."""

import functools
import json

from torture_case import NETWORK, SPOIL, Case

from holdfast.auditing.settings import AuditSettings

REPEATS = 20
HONEST = """
preset = "quick"
budget = "5m"
seed = 3
stresses = ["clean"]
gates = ["clean.accuracy >= 0.1"]
allow_low_accuracy = true
[model]
source = "net.py:make"
bounds = [0, 1]
[data]
source = "digits"
examples = 20
[adversarial.pgd]
steps = 5
[run]
batch_size = 100
"""
VALUES = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e400",
    "true",
    '""',
    '"x"',
    "[]",
    "{}",
    "[1, [2, [3]]]",
    '"nan"',
    "1979-05-27",
    "99999999999999999999999",
    "1e-320",
    "[nan, 1]",
    "[1, 0]",
    "[inf, -inf]",
    '"0,nan"',
    '"\\u0000"',
    '"\\ud7ff"',
    "{a = 1}",
    '[""]',
    "0x10",
    '"1e999s"',
    '"99999999999999999999h"',
    "9e18",
    '"/dev/zero"',
    '"/dev/null"',
    '"."',
    '"' + "a" * 5000 + '"',
    "[" * 50 + "]" * 50,
    "2147483648",
]
KEYS = [
    "preset",
    "budget",
    "max_queries",
    "seed",
    "stresses",
    "gates",
    "undecided",
    "baseline",
    "out",
    "fresh",
    "expect_accuracy",
    "allow_low_accuracy",
    "model.source",
    "model.weights",
    "model.arguments",
    "model.name",
    "model.access",
    "model.bounds",
    "model.normalize",
    "model.outputs",
    "model.output_key",
    "data.source",
    "data.layout",
    "data.input_key",
    "data.label_column",
    "data.size",
    "data.examples",
    "data.unlabelled",
    "run.device",
    "run.workers",
    "run.threads",
    "run.batch_size",
    "adversarial.pgd.steps",
    "adversarial.pgd.eps",
    "adversarial.pgd.norm",
    "adversarial.pgd.restarts",
    "adversarial.apgd.steps",
    "adversarial.square.queries",
    "adversarial.fgsm.eps",
    "precision.weight_bits.bits",
    "precision.act_bits.bits",
    "device.weight_noise.sizes",
    "device.weight_noise.chips",
    "device.activation_variation.curves",
    "device.activation_variation.chips",
    "shift.corruptions.severities",
    "shift.resolution.sizes",
    "adversarial.transfer.examples",
    "nothing.at.all",
    "é",
    "model",
    "adversarial",
    "adversarial.pgd",
]


def with_config(folder, content, *more):
    (folder / "net.py").write_text(NETWORK)
    (folder / "audit.toml").write_bytes(content)
    return Case(("plan", "--config", "audit.toml", *more))


def spoiled(how):
    return lambda rng, folder: with_config(folder, SPOIL[how](rng, HONEST.encode()))


def odd_values(rng, folder):
    key, value = rng.choice(KEYS), rng.choice(VALUES)
    lines = HONEST.splitlines()
    table, _, name = key.rpartition(".")
    if table and f"[{table}]" in lines:
        lines = [line for line in lines if not line.startswith(f"{name} =")]
        lines.insert(lines.index(f"[{table}]") + 1, f"{name} = {value}")
    elif table:
        lines += [f"[{table}]", f"{name} = {value}"]
    else:
        lines = [f"{key} = {value}", *(line for line in lines if not line.startswith(f"{key} ="))]
    return with_config(folder, "\n".join(lines).encode())


def assigned(rng, folder):
    return with_config(folder, HONEST.encode(), "--set", f"{rng.choice(KEYS)}={rng.choice(VALUES)}")


@functools.cache
def fields():
    return json.loads(json.dumps(AuditSettings.model_json_schema()))["$defs"]


def flags(rng, folder):
    flag = rng.choice(
        [
            "--bounds",
            "--normalize",
            "--budget",
            "--seed",
            "--examples",
            "--batch-size",
            "--threads",
            "--workers",
            "--size",
            "--expect-accuracy",
            "--max-queries",
            "--gate",
            "--stress",
            "--device",
            "--output-key",
            "--layout",
            "--out",
            "--baseline",
            "--model-arg",
            "--name",
        ]
    )
    value = rng.choice(
        [
            "nan",
            "inf",
            "-inf",
            "0,nan",
            "nan,nan",
            "1,0",
            "0,0",
            "inf,inf",
            "-1",
            "0",
            "1e400",
            "",
            " ",
            "é",
            "\udce9",
            "a" * 3000,
            "1,1,1",
            "0x1",
            "1_000",
            "99999999999999999999",
            "clean.accuracy >= nan",
            "clean.accuracy >= ",
            "a.b[c=]>1",
            ">= 1",
            "clean.accuracy >= 1e999",
            "[[[[[[",
            "cuda:99",
            "meta",
            "/dev/null/x",
            "0.5,0",
            "0,-1",
            "1e-400,1e-400",
            "true",
            "None",
            "NaNs",
            "infh",
        ]
    )
    (folder / "net.py").write_text(NETWORK)
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
            "clean",
            "--allow-low-accuracy",
            f"{flag}={value}",
        )
    )


def odd_files(rng, folder):
    content = rng.choice(
        [
            b"\xff\xfe" + HONEST.encode("utf-16-le"),
            HONEST.replace("quick", "qu\xe9ck").encode("latin1"),
            b"\0" * 100,
            b"a = " + b"[" * 100_000,
            b"",
            b"a." * 50_000 + b"b=1",
            b"x = '''" + b"a" * 2**20,
            b"\xef\xbb\xbf" + HONEST.encode(),
            HONEST.encode() * 2,
            b"a = 1\na.b = 2",
            b"[[model]]\nsource = 1",
            b"x = " + b"9" * 10_000,
            b"{" * 3000,
            b"a = {" * 2000,
            HONEST.replace("\n", "\r").encode(),
            b"[model]\n[model]\n",
            b"d = 1979-99-99",
            b'a = "\\U00110000"',
        ]
    )
    return with_config(folder, content)


def gates(rng, folder):
    """A file of gates for a run that is not there."""
    (folder / "gates.toml").write_bytes(
        rng.choice(
            [
                b"gates = 3",
                b"gates = [1]",
                b"gates = [nan]",
                b"\xff",
                b"gates = ['a']",
                b"gates = [['a']]",
                b"",
                b"gate = []",
                b"gates = " + b"[" * 90_000,
            ]
        )
    )
    return Case(("gate", rng.choice([".", "nowhere", "gates.toml", "/dev/null", "\udce9"]), "--gates", "gates.toml"))


VARIANTS = {
    **{how: spoiled(how) for how in SPOIL},
    "odd values": odd_values,
    "odd values, more": odd_values,
    "odd assignments": assigned,
    "odd flags": flags,
    "odd flags, more": flags,
    "odd files": odd_files,
    "odd gates": gates,
}
