r"""What pushes an input towards a proxy class, in the answer of a network and in its layers.

.. math:: J(x') = \sum_{l} \Bigl[\log p(y = p \mid h_l(x')) + \eta \frac{|h_l(x') - h_l(x)|_2}{|h_l(x)|_2}\Bigr]
          + \gamma \log \mathrm{softmax} f_S(x')_p

``proxy-ce`` has the last term alone, ``fda`` one layer, ``fda-n`` several layers, ``fda-n+ce`` everything. With several proxies
their logarithms are averaged with the proxies' weights. Sources: N. Inkawhich et al., arXiv:2103.09916, arXiv:2004.12519 and
arXiv:2004.14861; the default weights were not verified there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from holdfast.core.checks import check_labels, check_one_of, check_within, refuse
from holdfast.core.target import answer
from holdfast.nets import recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.attacks.transfer.adapter import Adapter
    from holdfast.attacks.transfer.correspondence import Proxies
    from holdfast.attacks.transfer.heads import FeatureHeads

__all__ = ["METHODS", "Method", "ProxyObjective"]

Method = Literal["proxy-ce", "fda", "fda-n", "fda-n+ce"]
METHODS: tuple[Method, ...] = ("proxy-ce", "fda", "fda-n", "fda-n+ce")


class ProxyObjective:
    """J of the module's text, for :func:`~holdfast.attacks.ascend` and :func:`~holdfast.attacks.input_gradient`.

    Call it with inputs (n, ...) and the rows of `x` that they belong to (n,); it gives (n,). Freeze the network meanwhile.

    Parameters
    ----------
    model : white box, a module from (adapted) inputs to logits (N, K_S)
    x : clean inputs (N, ...)
    proxies : of each row of `x`
    method : one of :data:`METHODS`
    heads : of the white box's layers; not needed by ``"proxy-ce"``
    layers : that count, default all with heads; ``"fda"`` takes one, by default the last
    eta : weight of the relative displacement of features, >= 0; it is left out where the clean feature is 0 or not finite
    gamma : weight of the white box's own answer, >= 0
    adapter : from `x` to what the white box takes

    Raises
    ------
    InputError : no heads where they are needed, unknown layers, several layers for ``"fda"``, a wrong number of proxies
    """

    def __init__(  # noqa: PLR0913 - each argument is a setting chosen by name
        self,
        model: nn.Module,
        x: torch.Tensor,
        proxies: Proxies,
        *,
        method: str = "fda-n+ce",
        heads: FeatureHeads | None = None,
        layers: Sequence[str] | None = None,
        eta: float = 1e-6,
        gamma: float = 1.0,
        adapter: Adapter | None = None,
    ) -> None:
        check_one_of(method, "method", allowed=METHODS)
        if len(proxies) != len(x):
            refuse("proxies", f"has {len(proxies)} rows for {len(x)} inputs", allowed="one row per input")
        self.model, self.x, self.proxies, self.heads, self.adapter = model, x, proxies, heads, adapter
        self.layers = () if method == "proxy-ce" else _layers_of(heads, layers, single=method == "fda")
        self.eta = check_within(eta, "eta", low=0.0)
        self.gamma = check_within(gamma, "gamma", low=0.0) if method in {"proxy-ce", "fda-n+ce"} else 0.0
        if method == "proxy-ce" and self.gamma == 0:
            refuse("gamma", "is 0 for proxy-ce, which has no other term", allowed="numbers > 0")
        self._rows: torch.Tensor | None = None
        self._clean: dict[str, torch.Tensor] = {}

    def __call__(self, x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """J (n,) at the inputs `x_adv` (n, ...) that belong to the examples `rows` (n,)."""
        proxies = self.proxies[rows]
        logits, found = self._look(x_adv)
        check_labels(proxies.classes.flatten(), "proxies", classes=logits.shape[1])
        value = self.gamma * _toward(logits.log_softmax(1), proxies)
        if self.layers:
            assert self.heads is not None, "checked at the door"
            for reading in self.heads(found, self.layers).values():
                value = value + _toward(nn.functional.logsigmoid(reading), proxies)
            if self.eta:
                clean = self._clean_features(rows)
                for name in self.layers:
                    value = value + self.eta * _displacement(found[name], clean[name])
        return value

    def _look(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Logits and features."""
        with recording(self.model, self.layers) as found:
            logits = answer(self.model, x if self.adapter is None else self.adapter(x))
        return logits, found

    def _clean_features(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Features of the clean inputs; those of the last rows are kept, since all steps of a batch ask for the same."""
        if self._rows is None or not torch.equal(self._rows, rows):
            with torch.no_grad():
                found = self._look(self.x[rows])[1]
            self._rows, self._clean = rows.clone(), {name: found[name].detach() for name in self.layers}
        return self._clean


def _layers_of(heads: FeatureHeads | None, layers: Sequence[str] | None, *, single: bool) -> tuple[str, ...]:
    if heads is None:
        refuse("heads", "is None", allowed="FeatureHeads.fit(...) for methods on features, or method='proxy-ce'")
    chosen = heads.check_layers(heads.layers[-1:] if layers is None and single else layers)
    if single and len(chosen) != 1:
        refuse("layers", f"is {list(chosen)}", allowed="one layer for 'fda'", remedy="Use method='fda-n' for several.")
    return chosen


def _toward(logs: torch.Tensor, proxies: Proxies) -> torch.Tensor:
    """Weighted mean (n,) of the logarithms (n, K) at the proxies; what weighs nothing is not asked, since 0 times -inf is NaN."""
    picked = logs.gather(1, proxies.classes)
    return torch.where(proxies.weights > 0, proxies.weights.to(picked) * picked, 0.0).sum(1)


def _displacement(feature: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Length of the change of each row over the clean length; 0 where that is 0 or either is not finite."""
    now, before = feature.flatten(1), clean.flatten(1)
    length = torch.linalg.vector_norm(before, dim=1)
    usable = (length > 0) & length.isfinite() & now.isfinite().all(1)
    change = torch.where(usable[:, None], now - before, 0.0)
    return torch.linalg.vector_norm(change, dim=1) / torch.where(usable, length, 1.0)
