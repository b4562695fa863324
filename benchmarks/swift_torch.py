"""`swift` in PyTorch, for benchmarks/networks.py alone: the same layers, loss and optimizer.

Muon has the constants that src/fifteen/params/sections.py has as defaults.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

GROUPS = (1.0, 3.0, 4.5)


class Group(nn.Module):
    """One pooled convolution and a residual pair."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()

        def block(fan_in: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
            convolution = nn.Conv2d(fan_in, filters, 3, padding="same", bias=False)
            return convolution, nn.BatchNorm2d(filters, momentum=0.35)

        self.first, self.norm1 = block(channels)
        self.second, self.norm2 = block(filters)
        self.third, self.norm3 = block(filters)
        for norm in (self.norm1, self.norm2, self.norm3):
            norm.weight.requires_grad = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve the resolution of (batch, channels, height, width)."""
        x = functional.relu(self.norm1(functional.max_pool2d(self.first(x), 2)))
        y = functional.relu(self.norm2(self.second(x)))
        return x + functional.relu(self.norm3(self.third(y)))


class Swift(nn.Module):
    """The network of src/fifteen/networks/swift.py, from standardised images to logits."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 2)
        self.stem.weight.requires_grad = False
        channels, groups = 24, []
        for multiple in GROUPS:
            groups.append(Group(channels, int(width * multiple)))
            channels = int(width * multiple)
        self.groups = nn.Sequential(*groups)
        self.logits = nn.Linear(channels, classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of (batch, 3, height, width)."""
        x = self.groups(functional.relu(self.stem(x)))
        return 0.14 * self.logits(x.amax((2, 3)) + x.mean((2, 3)))


def newton_schulz(matrix: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """As in src/fifteen/training/muon.py, three steps."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (matrix / (matrix.norm() + 1e-7)).to(dtype)
    x = x.T if x.shape[0] > x.shape[1] else x
    for _ in range(3):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    return x.to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Muon for convolution kernels, Nesterov SGD for the rest."""

    def __init__(self, parameters: list[nn.Parameter], rate: float, dtype: torch.dtype) -> None:
        super().__init__(parameters, {"rate": rate})
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:
        """One step of every parameter."""
        for group in self.param_groups:
            for p in group["params"]:
                moment = self.state[p].setdefault("momentum", torch.zeros_like(p))
                if p.ndim == 4:
                    moment.mul_(0.6).add_(p.grad)
                    update = newton_schulz((p.grad + 0.6 * moment).flatten(1), self.dtype)
                    p.mul_(len(p) ** 0.5 / p.norm()).sub_(update.view_as(p), alpha=group["rate"])
                else:
                    gradient = p.grad + 5e-4 * p if p.ndim == 2 else p.grad
                    moment.mul_(0.9).add_(gradient)
                    p.sub_(gradient + 0.9 * moment, alpha=7.67 * group["rate"])


def training_step(
    network: Swift, images: np.ndarray, labels: np.ndarray, label_smoothing: float, precision: str
) -> Callable[[], float]:
    """A function that makes one training step with these (N, 32, 32, 3) float32 images."""
    dtype = torch.bfloat16 if precision == "mixed_bfloat16" else torch.float32
    network = network.to(memory_format=torch.channels_last)
    trainable = [p for p in network.parameters() if p.requires_grad]
    optimizer = Muon(trainable, 1e-3, dtype)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels).long()

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype == torch.bfloat16):
            logits = network((x - 127.5) / 64)
        loss = functional.cross_entropy(logits.float(), y, label_smoothing=label_smoothing)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
