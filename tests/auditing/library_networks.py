"""Networks as users of other libraries have them, and data: what the tests bring to an audit, as objects and by address."""

import torch
from torch import nn

from holdfast.data import Examples, load_images
from holdfast.nets import mlp


class MnistExample(nn.Module):
    """PyTorch's example for MNIST: two convolutions, a maximum, two linear layers, each of the last two behind a dropout."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(64 * 12 * 12, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(nn.functional.relu(self.conv2(nn.functional.relu(self.conv1(x)))), 2)
        x = self.dropout2(nn.functional.relu(self.fc1(torch.flatten(self.dropout1(x), 1))))
        return nn.functional.log_softmax(self.fc2(x), dim=1)


class Ending(nn.Module):
    """A perceptron whose last step is `end`."""

    def __init__(self, end, classes=10):
        super().__init__()
        self.body, self.end = mlp(64, hidden=(16,), classes=classes), end

    def forward(self, x):
        return self.end(self.body(x))


class Sequences(nn.Module):
    """A long short-term memory that reads 8 steps of 8 values, and a layer that classifies its last state."""

    def __init__(self):
        super().__init__()
        self.memory, self.head = nn.LSTM(8, 24, batch_first=True), nn.Linear(24, 10)

    def forward(self, x):
        return self.head(self.memory(x)[0][:, -1])


def mnist_example():
    return MnistExample()


def one_logit():
    return Ending(nn.Identity(), classes=1)


def one_sigmoid():
    return Ending(torch.sigmoid, classes=1)


def probabilities():
    return Ending(nn.Softmax(1))


def squeezed():
    return Ending(torch.squeeze)


def flattened():
    return Ending(nn.Flatten())


def naming():
    return Ending(lambda z: z.argmax(1))


def pair():
    return Ending(lambda z: (z, z.argmax(1)))


def sequences():
    return Sequences()


def resnet():
    from transformers import ResNetConfig, ResNetForImageClassification

    sizes = {"num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
    return ResNetForImageClassification(ResNetConfig(num_labels=10, **sizes))


def convnext():
    from transformers import ConvNextConfig, ConvNextForImageClassification

    sizes = {"num_channels": 1, "image_size": 8, "patch_size": 2, "num_stages": 2, "hidden_sizes": [8, 16], "depths": [1, 1]}
    return ConvNextForImageClassification(ConvNextConfig(num_labels=10, **sizes))


def vit():
    from transformers import ViTConfig, ViTForImageClassification

    sizes = {"num_channels": 1, "image_size": 8, "patch_size": 2, "hidden_size": 16, "num_hidden_layers": 1}
    return ViTForImageClassification(ViTConfig(num_labels=10, num_attention_heads=2, intermediate_size=32, **sizes))


def lightning():
    """A Lightning module: the network under the name `model`, a loss with weights beside it."""
    import pytorch_lightning

    class Classifier(pytorch_lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.save_hyperparameters()
            self.model, self.loss = mlp(64, hidden=(16,)), nn.CrossEntropyLoss(weight=torch.ones(10))

        def forward(self, x):
            return self.model(x)

        def training_step(self, batch, _):
            return self.loss(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-2)

    return Classifier()


def inside_lightning():
    return mlp(64, hidden=(16,))


# --- data ---


def digits(split="test"):
    return load_images("digits", split)


def zeros_and_ones(split="test"):
    every = load_images("digits", split)
    return every[every.y < 2].labelled(every.y[every.y < 2], class_names=("zero", "one"), numbering="own")


def rows_in_time(split="test"):
    """Each digit as a sequence of its 8 rows."""
    every = load_images("digits", split)
    return Examples(every.x[:, 0], every.y)


def mnist(split="test"):
    return load_images("mnist", split, n=1000 if split == "train" else 100)


def several_labels(split="test"):
    """Is it even, is it larger than 4, is it prime."""
    every = load_images("digits", split)
    return every.x, torch.stack((every.y % 2 == 0, every.y > 4, (every.y[:, None] == torch.tensor([2, 3, 5, 7])).any(1)), 1).float()


def one_hot(split="test"):
    every = load_images("digits", split)
    return every.x, torch.eye(10)[every.y]


def one_label(split="test"):
    x, y = one_hot(split)
    return x, y.argmax(1)
