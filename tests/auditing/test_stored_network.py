"""Stored points belong to the network that was measured: weights and layers do not name it, answers, gradients and code do."""

import importlib.util
import itertools
import json
import linecache
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

import holdfast
from holdfast.auditing.likeness import Likeness, difference, likeness_of
from holdfast.auditing.pipeline import audit_with
from holdfast.auditing.settings import read_settings
from holdfast.auditing.sources import source_digests, without_comments
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.core.watch import Watch

NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
{forward}
"""
PLAIN = "        return self.body(x)"
COMMENTED = "        # what it was before\n\n        return self.body(x)  # unchanged"
ROUNDED = "        return self.body(x.round())"
STRAIGHT = "        return self.body(x.round().detach() + x - x.detach())"
SCALED_GRADIENT = "        answer = self.body(x)\n        return 3 * answer - 2 * answer.detach()"
REWRITTEN = "        answer = self.body(x)\n        return answer"
NOISY = "        return self.body(x) + 1e-3 * torch.randn(len(x), 10)"
NOISIER = "        return self.body(x) + 2e-3 * torch.randn(len(x), 10)"


@pytest.fixture
def edited(tmp_path, digits_cnn, monkeypatch):
    """edited(forward): a network of the user's module `user_net` after he edited its forward; the weights are always the same."""
    file = tmp_path / "user_net.py"

    def make(forward):
        file.write_text(NETWORK.format(forward=forward))
        spec = importlib.util.spec_from_file_location("user_net", file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "user_net", module)
        spec.loader.exec_module(module)
        return module.Net(digits_cnn)

    return make


@pytest.fixture
def audited_in(tmp_path, digits_small):
    """audited_in(folder, network): its report, from stored points as far as they are its own."""

    def audit(folder, network):
        settings = {"data": {"examples": 60}, "run": {"threads": 1}}
        return holdfast.audit(network, digits_small[1], stresses=["clean", "fgsm"], out=str(tmp_path / folder), settings=settings)

    return audit


def rows(tmp_path, folder="run"):
    with closing(sqlite3.connect(tmp_path / folder / "run.sqlite")) as connection:
        return connection.execute("select count(*) from points").fetchone()[0]


def figures(report):
    return {
        (name, json.dumps(point.at)): point.metrics["accuracy"].value
        for _, name, stress in report.document.placed_stresses()
        for point in stress.points
        if "accuracy" in point.metrics
    }


@pytest.mark.parametrize(("forward", "other"), [(ROUNDED, "answers"), (SCALED_GRADIENT, "gradients"), (REWRITTEN, "code")])
def test_an_edited_network_gets_its_own_figures_and_that_is_said(tmp_path, edited, audited_in, forward, other):
    before = audited_in("run", edited(PLAIN))
    points = rows(tmp_path)
    after = audited_in("run", edited(forward))
    assert rows(tmp_path) == 2 * points
    assert figures(after) == figures(audited_in("alone", edited(forward)))
    assert any(f"with the same weights and other {other}" in note for note in after.document.target.notes)
    assert not any("the same weights" in note for note in before.document.target.notes)
    back = audited_in("run", edited(PLAIN))  # the points of the first network are still there
    assert figures(back) == figures(before)
    assert rows(tmp_path) == 2 * points


def test_gradients_that_are_passed_by_are_noticed(tmp_path, edited, audited_in):
    audited_in("run", edited(ROUNDED))
    after = audited_in("run", edited(STRAIGHT))
    assert figures(after) == figures(audited_in("alone", edited(STRAIGHT)))


@pytest.mark.parametrize("forward", [PLAIN, COMMENTED])
def test_the_same_network_keeps_its_points(tmp_path, edited, audited_in, forward):
    before = audited_in("run", edited(PLAIN))
    points = rows(tmp_path)
    assert figures(audited_in("run", edited(forward))) == figures(before)
    assert rows(tmp_path) == points


def test_a_nondeterministic_network_is_known_by_weights_and_code_and_the_page_says_so(tmp_path, edited, audited_in):
    report = audited_in("run", edited(NOISY))
    assert "recognised by its weights and its code" in report.page.read_text()
    points = rows(tmp_path)
    audited_in("run", edited(NOISY))
    assert rows(tmp_path) == points
    audited_in("run", edited(NOISIER))
    assert rows(tmp_path) == 2 * points


def test_without_its_stored_answers_a_network_is_measured_again(tmp_path, edited, audited_in):
    before = audited_in("run", edited(PLAIN))
    (tmp_path / "run" / "blobs" / "arrays-network-0.npz").write_bytes(b"torn")
    points = rows(tmp_path)
    assert figures(audited_in("run", edited(PLAIN))) == figures(before)
    assert rows(tmp_path) == 2 * points


def test_a_run_of_an_earlier_version_is_completed_by_measuring_again(tmp_path, edited, audited_in):
    before = audited_in("run", edited(PLAIN))
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as connection, connection:
        identity = json.loads(connection.execute("select value from facts where name = 'identity'").fetchone()[0])
        earlier = {"target" if name == "network" else name: value for name, value in identity.items()}
        connection.execute("update facts set value = ? where name = 'identity'", (json.dumps(earlier),))
        connection.execute("delete from facts where name like '%network%'")
        connection.execute("update points set key = 'earlier-' || key")
        connection.execute("alter table points drop column digest")
    after = audited_in("run", edited(PLAIN))
    assert figures(after) == figures(before)
    assert any("an earlier version of holdfast began this run" in note for note in after.document.run.notes)


@pytest.mark.parametrize(("before", "after"), [(PLAIN, ROUNDED), (PLAIN, PLAIN), (NOISY, NOISIER)])
def test_points_that_were_stored_without_their_network_are_of_nobody(tmp_path, edited, audited_in, before, after):
    first = audited_in("run", edited(before))
    points = rows(tmp_path)
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as connection, connection:
        connection.execute("delete from facts where name in ('networks', 'arrays-network-0')")
    for _ in range(2):
        report = audited_in("run", edited(after))
        assert rows(tmp_path) == 2 * points
        assert sum("points that cannot be attributed to a network" in note for note in report.document.target.notes) == 1
        assert not any("the same weights" in note for note in report.document.target.notes)
    assert figures(report) == figures(audited_in("alone", edited(after)))
    assert not any("attributed" in note for note in first.document.target.notes)


def test_access_that_grows_keeps_what_was_measured(tmp_path, edited, digits_small):
    options = {"out": str(tmp_path / "run"), "stresses": ["clean"], "settings": {"data": {"examples": 60}}}
    holdfast.audit(edited(PLAIN), digits_small[1], access="scores", **options)
    points = rows(tmp_path)
    for _ in range(2):
        holdfast.audit(edited(PLAIN), digits_small[1], access="weights", **options)
    assert rows(tmp_path) == points
    holdfast.audit(edited(SCALED_GRADIENT), digits_small[1], access="weights", **options)
    assert rows(tmp_path) == 2 * points


class Restless(torch.nn.Module):
    """A network whose description holds a place in memory."""

    def __init__(self, body):
        super().__init__()
        self.body, self.act = body, object()

    def extra_repr(self):
        return f"act={self.act!r}"

    def forward(self, x):
        return self.body(x)


def test_places_in_memory_do_not_name_a_network(tmp_path, digits_cnn, audited_in):
    first, second = Restless(digits_cnn), Restless(digits_cnn)
    assert str(first) != str(second)
    audited_in("run", first)
    points = rows(tmp_path)
    audited_in("run", second)
    assert rows(tmp_path) == points


@pytest.fixture(scope="module")
def likeness(digits_cnn, digits_small):
    return likeness_of(Target(model=digits_cnn), digits_small[1].x, deterministic=True)


def stored(likeness):
    return {**{name: array.copy() for name, array in likeness.arrays.items()}, "code": dict(likeness.code)}


def test_rounding_of_another_machine_is_no_difference(likeness):
    before = stored(likeness)
    noise = np.random.default_rng(0)
    for name in ("answers", "gradients"):
        before[name] = before[name] * (1 + 2e-5 * noise.standard_normal(before[name].shape)).astype(np.float32)
    assert difference(before, likeness) == ""


def test_another_number_of_threads_is_no_difference(likeness, digits_cnn, digits_small):
    torch.set_num_threads(2)
    try:
        again = likeness_of(Target(model=digits_cnn), digits_small[1].x, deterministic=True)
    finally:
        torch.set_num_threads(1)
    assert difference(stored(likeness), again) == ""


def test_a_kink_in_a_few_examples_is_no_difference_and_one_answer_is(likeness):
    before = stored(likeness)
    before["gradients"][:3] *= 1.5
    assert difference(before, likeness) == ""
    before["gradients"] *= 1.001
    assert difference(before, likeness) == "gradients"
    before = stored(likeness)
    before["answers"][5, 2] += 1e-3 * np.abs(before["answers"]).max()
    assert difference(before, likeness) == "answers"


def off_the_grid(x):
    """Digits are multiples of 1/16, and stay as they are, and so do their gradients."""
    return x + ((16 * x).round() / 16 - x).detach()


def straight_off_the_grid(x):
    """The values stay as they are everywhere, the gradients at digits alone."""
    return x + (off_the_grid(x) - x).detach().abs().gt(1e-5) * (x - x.detach())


def refusing(x):
    if (off_the_grid(x) - x).abs().max() > 1e-5:
        raise ValueError("not a digit")
    return x


@pytest.mark.parametrize(
    ("change", "other"), [(off_the_grid, "answers"), (straight_off_the_grid, "gradients"), (refusing, "answers")]
)
def test_edits_that_change_nothing_at_clean_inputs_are_noticed_beside_them(likeness, digits_cnn, digits_small, change, other):
    x = digits_small[1].x
    assert torch.equal(change(x), x)
    network = Restless(digits_cnn)
    network.register_forward_pre_hook(lambda module, inputs: (change(inputs[0]),))
    edited = likeness_of(Target(model=network), x, deterministic=True)
    assert difference({**stored(likeness), "code": {}}, edited) == other
    assert difference(stored(edited), edited) == ""


def test_what_an_earlier_version_stored_is_compared_as_far_as_it_goes(likeness):
    before = {name: value for name, value in stored(likeness).items() if not name.startswith("noisy")}
    assert difference(before, likeness) == ""


HELPERS = """
import user_net

def snapped(x):
    return [scaled(x) for _ in range(1)][0]

def scaled(x):
    return {scaled}

def unused(x):
    return {unused}
"""


def test_functions_that_a_forward_calls_are_followed_within_the_code_of_the_user(tmp_path, edited, monkeypatch):
    def digests(**bodies):
        network = edited(
            "        import torch.nn.functional\n        return self.body(user_help.snapped(x) + np.pi + json.loads('0'))"
        )
        file = tmp_path / "user_help.py"
        file.write_text(HELPERS.format(**bodies))
        linecache.clearcache()
        spec = importlib.util.spec_from_file_location("user_help", file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "user_help", module)
        spec.loader.exec_module(module)
        vars(sys.modules["user_net"]).update(user_help=module, np=np, json=json)
        return source_digests(network)

    before, after = digests(scaled="x", unused="x"), digests(scaled="x * 1", unused="x")
    assert before.keys() == after.keys() == {"user_net.Net", "user_help.snapped", "user_help.scaled"}
    assert [name for name in before if before[name] != after[name]] == ["user_help.scaled"]
    assert digests(scaled="x", unused="2 * x") == before


@pytest.mark.parametrize("spoil", [lambda array: array[:, :-1], lambda array: array * np.nan])
def test_answers_of_another_shape_or_without_numbers_are_others(likeness, spoil):
    before = stored(likeness)
    before["answers"] = spoil(before["answers"])
    assert difference(before, likeness) == "answers"


def test_gradients_that_vanish_everywhere_are_equal(likeness):
    flat = replace(likeness, arrays={**likeness.arrays, "gradients": 0 * likeness.arrays["gradients"]})
    assert difference(stored(flat), flat) == ""
    assert difference(stored(flat), likeness) == "gradients"


def test_code_that_cannot_be_read_decides_nothing():
    known = Likeness(arrays={}, code={"user.Net": "a"}, tolerance=1e-4)
    assert difference({"code": {}}, known) == ""
    assert difference({"code": {"user.Net": "a", "user.Gone": "b"}}, known) == ""
    assert difference({"code": {"user.Net": "b"}}, known) == "code"


def helper(x):
    return x


def test_code_is_that_of_classes_functions_and_hooks_of_the_user(digits_cnn):
    network = Restless(digits_cnn)
    network.helper = helper
    network.register_forward_hook(lambda module, inputs, answer: answer)
    names = set(source_digests(network))
    assert f"{__name__}.Restless" in names
    assert f"{__name__}.helper" in names
    assert any("lambda" in name for name in names)
    assert not any(name.startswith(("torch", "holdfast")) for name in names)


def test_comments_end_where_strings_begin():
    assert without_comments('x = "# kept"  # gone\n') == 'x = "# kept"'
    assert without_comments("def f(:") == "def f(:"


class Leaves(torch.nn.Module):
    """A network that leaves the program at one of its passes, counted from 1 over all its copies; 0: never."""

    passes = 0

    def __init__(self, body, at=0):
        super().__init__()
        self.body, self.at = body, at
        Leaves.passes = 0

    def forward(self, x):
        Leaves.passes += 1
        if Leaves.passes == self.at:
            sys.exit(0)
        return self.body(x)


def audit_watched(network, data, folder, send=lambda message: None):
    options = {"data": {"examples": 60}, "run": {"threads": 1}, "stresses": ("clean",), "out": str(folder)}
    return audit_with(read_settings(flags=options), network, data, watch=Watch(send))


def test_every_pass_before_the_first_point_has_a_limit_of_time(tmp_path, digits_cnn, digits_small):
    network = Leaves(digits_cnn)
    told = []  # limit of each phase in s, and the passes made when it began
    audit_watched(
        network, digits_small[1], tmp_path / "run", lambda message: told.append((message.get("seconds"), Leaves.passes, message))
    )
    first = next(place for place, (*_, message) in enumerate(told) if "begin" in message)
    spent = [(limit, after - before) for (limit, before, _), (_, after, _) in itertools.pairwise(told[: first + 1])]
    assert sum(passes for limit, passes in spent if limit is not None) > 0
    assert sum(passes for limit, passes in spent if limit is None) == 0


def test_a_network_that_leaves_at_any_pass_before_the_first_point_is_refused_in_one_sentence(tmp_path, digits_cnn, digits_small):
    begun = []
    for at in itertools.count(1):
        try:
            audit_watched(
                Leaves(digits_cnn, at),
                digits_small[1],
                tmp_path / f"at-{at}",
                lambda message: begun.extend(message.keys() & {"begin"}),
            )
        except InputError as error:
            assert "raised SystemExit: 0 (test_stored_network.py, line" in str(error)  # noqa: PT017 (every pass in turn)
            assert not begun
        else:
            break  # it left within a point, which is recorded as failed
    assert at > 1
    assert begun
