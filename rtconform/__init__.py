"""rtconform: conformance and benchmark suite for neural audio models from PyTorch to RTNeural."""

__version__ = "0.1.0"
