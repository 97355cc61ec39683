"""Each kind of change is tried before the plan: what fails there is skipped with its reason, and crashes no point."""

import torch
from torch import nn

import holdfast
from holdfast.auditing.probing.trials import failed_trials
from holdfast.core.target import Target
from holdfast.nets import mlp, weights_digest

STRESSES = ("clean", "weight_bits", "weight_noise", "act_bits", "activation_variation")


class Sealed(nn.Module):
    """Refuses to run with other weights than those that it was made with."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seal = net, self.total(net)

    @staticmethod
    def total(net):
        return sum(parameter.detach().double().sum().item() for parameter in net.parameters())

    def forward(self, x):
        if abs(self.total(self.net) - self.seal) > 1e-9:
            message = "the weights were tampered with"
            raise PermissionError(message)
        return self.net(x)


class Exact(nn.Module):
    """Refuses to run with other modules in it than those that it was made with."""

    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)

    def forward(self, x):
        hidden = self.act(self.a(x.flatten(1)))
        if "input_quantizer" in dict(self.b.named_children()) or not isinstance(self.act, nn.ReLU):
            raise TypeError
        return self.b(hidden)


def test_what_fails_in_a_trial_is_skipped_with_its_reason_and_the_run_is_complete(digits_cnn, digits_small, tmp_path):
    settings = {"data": {"examples": 60}, "device": {"activation_variation": {"chips": 2}}, "run": {"threads": 1}}
    report = holdfast.audit(Sealed(digits_cnn), digits_small[1], stresses=STRESSES, settings=settings, out=str(tmp_path / "run"))
    assert (report.document.run.status, report.exit_code) == ("complete", 0)
    reason = "a trial on 8 examples failed with PermissionError: the weights were tampered with"
    assert {entry.stress: entry.reason for entry in report.document.skipped} == {"weight_bits": reason, "weight_noise": reason}


def test_changes_fail_one_by_one_and_an_error_without_words_has_its_name(digits_small):
    failed = failed_trials(Target(model=Exact().eval()), digits_small[1])
    assert failed == dict.fromkeys(("activation_bits", "devices"), "a trial on 8 examples failed with TypeError")


def test_trials_leave_the_network_the_generators_and_the_counter_as_they_were(digits_small):
    net = mlp(64).eval()
    target, digest, state = Target(model=net), weights_digest(net), torch.get_rng_state()
    assert failed_trials(target, digits_small[1]) == {}
    assert weights_digest(net) == digest
    assert torch.equal(torch.get_rng_state(), state)
    assert target.queries.count == 0
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in net.modules())
