"""What this machine computes on, on how many devices, and in which precision."""

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from fifteen.common.quiet import without_collections, without_greeting

with without_greeting(), without_collections():
    import keras
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")  # it warns of a function traced for each of several models

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class HardwareInUse:
    """What a training runs on.

    Attributes:
        device: the GPU's name, or the number of CPU cores and their model; of several, how many.
        precision: `float32` or `mixed_bfloat16`.
        devices: how many share each batch of a training.
    """

    device: str
    precision: str
    devices: int = 1

    def recorded(self) -> dict[str, str]:
        """What is said of it with every result."""
        return {"device": self.device, "precision": self.precision}

    def scope(self) -> AbstractContextManager:
        """What is compiled and trained within it is mirrored on all the devices, if several."""
        return nullcontext() if self.devices == 1 else _mirrored().scope()


def share_gpus() -> list[tf.config.PhysicalDevice]:
    """Take GPU memory only as it is needed; the GPUs there are."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


def configure(
    precision: Literal["auto", "float32", "mixed_bfloat16"],
    strategy: Literal["auto", "single", "mirrored"] = "single",
) -> HardwareInUse:
    """Share the GPUs and set the precision of the networks built from now on.

    Args:
        precision: `auto` is mixed bfloat16 where the device computes in it.
        strategy: `mirrored` takes all GPUs, or all logical CPU devices where there is no GPU;
            `auto` all GPUs.
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


@cache  # a second one would count its collective operations from the start, and meet the first's
def _mirrored() -> tf.distribute.MirroredStrategy:
    return tf.distribute.MirroredStrategy([device.name for device in _logical_devices()])


def _logical_devices() -> list[tf.config.LogicalDevice]:
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


def gpu_computes_bfloat16(capability: tuple[int, int] | None) -> bool:
    """NVIDIA GPUs do from compute capability 8.0 (Ampere) on."""
    return capability is not None and capability >= (8, 0)


def cpu_computes_bfloat16(cpu_info: str) -> bool:
    """Whether the flags in /proc/cpuinfo name bfloat16 instructions; others emulate it slowly."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_info.split())


def describe_cpu(cpu_info: str) -> str:
    """For example `2 cores of Intel(R) Xeon(R) Processor`."""
    models = [
        line.partition(":")[2].strip() for line in cpu_info.splitlines() if "model name" in line
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {models[0] if models else platform.processor() or platform.machine()}"
