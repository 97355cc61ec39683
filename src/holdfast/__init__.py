"""Will it hold? A laboratory for neural networks that must leave the lab."""

__version__ = "0.1.0"
