"""Networks for inputs of every rank and kind, each trained for a moment on data that are made here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

CODE = """
import torch
from torch import nn

from holdfast.nets import Normalized


def table():
    body = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    return Normalized(body, [0.0] * 5, [1.0] * 5)


def signal():
    body = (nn.Conv1d(2, 8, 5), nn.ReLU(), nn.Conv1d(8, 8, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(4))
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(32, 3))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.GRU(4, 12, batch_first=True)
        self.hidden, self.act, self.head = nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.act(self.hidden(self.cells(x)[0][:, -1])))


def sequence():
    return Recurrent()


def volume():
    return nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.Conv3d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def grey():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(60, 12)
        self.hidden, self.act, self.head = nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3)

    def forward(self, ids):
        return self.head(self.act(self.hidden(self.words(ids.long()).mean(1))))


def tokens():
    return Reader()
"""
CLASSES, ROWS = 3, 210
FACTORS = torch.tensor([1.0, 1000.0, 0.01, 5.0, 1e5])
OFFSETS = torch.tensor([0.0, 5000.0, 1.0, 0.0, -1e5])


@dataclass(frozen=True)
class Case:
    """A kind of inputs: the factory of its network, where its weights lie, and what it is audited on."""

    kind: str
    folder: Path
    x: torch.Tensor
    y: torch.Tensor

    @property
    def npz(self):
        """The data as a file."""
        path = self.folder / f"{self.kind}.npz"
        np.savez(path, x=self.x.numpy(), y=self.y.numpy())
        return path

    @property
    def model_words(self):
        """Model and weights on the command line."""
        return ("--model", "kinds.py:" + self.kind, "--weights", f"{self.kind}.safetensors")

    def network(self):
        """The network, trained."""
        return _trained(self.kind, self.x, self.y)


def _inputs(kind, y):
    generator = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randn(len(y), *shape, generator=generator)

    if kind == "table":
        centres = 1.5 * torch.randn(CLASSES, 5, generator=generator)
        return (centres[y] + noise(5)) * FACTORS + OFFSETS
    if kind == "signal":
        waves = torch.sin(2 * torch.pi * (y[:, None] + 1) * torch.linspace(0, 1, 32))
        return 2 * waves[:, None] + 0.3 * noise(2, 32)
    if kind == "sequence":
        return noise(9, 4) + (y[:, None, None] - 1.0)
    if kind == "volume":
        return 0.3 * noise(1, 6, 6, 8) + (y[:, None, None, None, None] - 1.0)
    if kind == "grey":
        pictures = 0.5 * torch.rand(len(y), 10, 10, generator=generator)
        for label in range(CLASSES):
            pictures[y == label, 3 * label : 3 * label + 3] += 0.5
        return pictures
    ids = torch.randint(0, 60, (len(y), 8), generator=generator)
    ids[:, :5] = ids[:, :5] % 20 + 20 * y[:, None]
    return ids


def _trained(kind, x, y):
    code = {}
    exec(CODE, code)
    torch.manual_seed(0)
    net = code[kind]()
    if kind == "table":
        net.mean, net.std = x.mean(0), x.std(0)
    x = x[:, None] if kind == "grey" else x
    optimizer = torch.optim.Adam(net.parameters(), 2e-2)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval()


def make_case(kind, folder):
    """The case of `kind` in `folder`, with its code and its weights on disk."""
    y = torch.arange(ROWS) % CLASSES
    case = Case(kind, folder, _inputs(kind, y), y)
    (folder / "kinds.py").write_text(CODE)
    save_file(case.network().state_dict(), folder / f"{kind}.safetensors")
    return case
