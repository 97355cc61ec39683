"""Networks of 8x8 digits that quantize themselves, or that hold what stresses on precision and on devices cannot reach.

Each is trained for a second; libraries warn when they are loaded and when they convert, which is theirs.
"""

import functools
import warnings

import torch
from torch import nn
from torch.nn import functional

from holdfast.data import load_images
from holdfast.nets import fit


def made_quietly(make):
    """`make` without the warnings of the libraries that it calls."""

    @functools.wraps(make)
    def quiet():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()

    return quiet


def trained(net, *, epochs=3, rate=1e-2):
    fit(net, load_images("digits"), epochs=epochs, lr=rate, batch_size=64)
    return net.eval()


def small_mlp():
    return trained(nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))


class Few(nn.Module):
    """Convolutions, activations and a head of 4 bits."""

    def __init__(self, **more):
        from brevitas import nn as layers

        super().__init__()
        self.conv1 = layers.QuantConv2d(1, 8, 3, padding=1, weight_bit_width=4)
        self.relu1 = layers.QuantReLU(bit_width=4, **more)
        self.conv2 = layers.QuantConv2d(8, 8, 3, padding=1, stride=2, weight_bit_width=4)
        self.relu2 = layers.QuantReLU(bit_width=4)
        self.head = layers.QuantLinear(128, 10, bias=True, weight_bit_width=4)

    def forward(self, x):
        return self.head(self.relu2(self.conv2(self.relu1(self.conv1(x)))).flatten(1))


@made_quietly
def brevitas():
    return trained(Few())


@made_quietly
def brevitas_with_scales():
    """The activations of its first layer know their scale and width."""
    return trained(Few(return_quant_tensor=True))


class Whole(Few):
    """Biases too are rounded, on the scale that inputs and weights give them."""

    def __init__(self):
        from brevitas import nn as layers
        from brevitas.quant import Int32Bias

        super().__init__(return_quant_tensor=True)
        more = {"padding": 1, "weight_bit_width": 4, "bias_quant": Int32Bias}
        self.input = layers.QuantIdentity(bit_width=8, return_quant_tensor=True)
        self.conv1, self.conv2 = layers.QuantConv2d(1, 8, 3, **more), layers.QuantConv2d(8, 8, 3, stride=2, **more)

    def forward(self, x):
        return super().forward(self.input(x))


@made_quietly
def brevitas_with_biases():
    return trained(Whole())


@made_quietly
def torchao_weights():
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    net = small_mlp()
    quantize_(net, Int8WeightOnlyConfig())
    return net


@made_quietly
def torchao_both():
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    net = small_mlp()
    quantize_(net, Int8DynamicActivationInt8WeightConfig())
    return net


@made_quietly
def torch_dynamic():
    from torch.ao import quantization

    return quantization.quantize_dynamic(small_mlp(), {nn.Linear}, dtype=torch.qint8)


class Stubbed(nn.Module):
    """Between its stubs everything is to be of whole numbers."""

    def __init__(self):
        from torch.ao import quantization

        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.relu, self.head = nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Linear(288, 10)

    def forward(self, x):
        return self.dequant(self.head(self.relu(self.conv(self.quant(x))).flatten(1)))


@made_quietly
def torch_static():
    from torch.ao import quantization

    net = trained(Stubbed())
    net.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    prepared = quantization.prepare(net)
    prepared(load_images("digits").x[:200])
    return quantization.convert(prepared)


def one_linear_layer():
    return trained(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))


class Rows(nn.Module):
    """The image row by row through a recurrent layer."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(8, 24, batch_first=True), nn.Linear(24, 10)

    def forward(self, x):
        return self.head(self.rnn(x.flatten(1, 2))[0][:, -1])


def lstm_head():
    return trained(Rows(), epochs=5)


class Attending(nn.Module):
    """The rows of the image attend to each other."""

    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Linear(8, 16), nn.Parameter(0.1 * torch.randn(8, 16))
        self.block = nn.TransformerEncoderLayer(16, 2, dim_feedforward=32, batch_first=True, dropout=0.0)
        self.head = nn.Linear(16 * 8, 10)

    def forward(self, x):
        return self.head(self.block(self.embed(x.flatten(1, 2)) + self.place).flatten(1))


def attention():
    return trained(Attending())


class Once(nn.Module):
    """One activation module at two places of different width."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.act = nn.Linear(64, 32), nn.Linear(32, 16), nn.Linear(16, 10), nn.ReLU()

    def forward(self, x):
        return self.c(self.act(self.b(self.act(self.a(x.flatten(1))))))


def reused_activation():
    return trained(Once())


class Functions(nn.Module):
    """Activations as functions."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(64, 32), nn.Linear(32, 16), nn.Linear(16, 10)

    def forward(self, x):
        return self.c(torch.relu(self.b(functional.relu(self.a(x.flatten(1))))))


def functional_activations():
    return trained(Functions())
