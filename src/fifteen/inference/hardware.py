"""The hardware of this machine, and the precision in which it computes."""

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from fifteen.common import engines  # noqa: F401 - before anything that imports TensorFlow

import keras
import tensorflow as tf

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class HardwareInUse:
    """The hardware and the precision of a training."""

    device: str  # name of the GPU, or number and model of the CPU cores; of several, their number
    precision: str  # float32 or mixed_bfloat16
    devices: int = 1  # that share each batch

    def recorded(self) -> dict[str, str]:
        """What is recorded with every result: the device and the precision."""
        return {"device": self.device, "precision": self.precision}

    def scope(self) -> AbstractContextManager:
        """The scope in which to compile and train; it mirrors the model on several devices."""
        return nullcontext() if self.devices == 1 else _mirrored().scope()


def share_gpus() -> list[tf.config.PhysicalDevice]:
    """Let TensorFlow take GPU memory only as it needs it; returns the GPUs."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


def configure(
    precision: Literal["auto", "float32", "mixed_bfloat16"],
    strategy: Literal["auto", "single", "mirrored"] = "single",
) -> HardwareInUse:
    """Set up the GPUs and the precision of the networks that are built from now on.

    Args:
        precision: `auto` is mixed bfloat16 if the device computes in bfloat16, else float32.
        strategy: `single` uses one device, `mirrored` all GPUs, or all logical CPU devices if there
            is no GPU; `auto` all GPUs.
    """
    gpus = share_gpus()
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    flags = CPU_INFO.read_text(encoding="utf-8") if CPU_INFO.exists() else ""
    if precision == "auto":
        capability = details.get("compute_capability") if gpus else None
        fast = gpu_computes_bfloat16(capability) if gpus else cpu_computes_bfloat16(flags)
        precision = "mixed_bfloat16" if fast else "float32"
    keras.config.set_dtype_policy(precision)
    device = details.get("device_name", "GPU") if gpus else describe_cpu(flags)
    several = strategy == "mirrored" or (strategy == "auto" and gpus)
    devices = len(_logical_devices()) if several else 1
    return HardwareInUse(device if devices == 1 else f"{devices} × {device}", precision, devices)


@cache  # the collective operations of two such strategies would be mistaken for each other
def _mirrored() -> tf.distribute.MirroredStrategy:
    return tf.distribute.MirroredStrategy([device.name for device in _logical_devices()])


def _logical_devices() -> list[tf.config.LogicalDevice]:
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


def gpu_computes_bfloat16(capability: tuple[int, int] | None) -> bool:
    """Whether a GPU computes in bfloat16: NVIDIA from compute capability 8.0 (Ampere) on."""
    return capability is not None and capability >= (8, 0)


def cpu_computes_bfloat16(cpu_info: str) -> bool:
    """Whether /proc/cpuinfo names bfloat16 instructions; other CPUs emulate it slowly."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_info.split())


def describe_cpu(cpu_info: str) -> str:
    """The CPU in words, such as `2 cores of Intel(R) Xeon(R) Processor`."""
    models = [
        line.partition(":")[2].strip() for line in cpu_info.splitlines() if "model name" in line
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {models[0] if models else platform.processor() or platform.machine()}"
