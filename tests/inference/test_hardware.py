import os

from fifteen.inference import hardware

import keras
import pytest

# Three generations of servers, shortened.
COOPER_LAKE = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8369HB CPU @ 3.30GHz
flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16 arch_capabilities

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8369HB CPU @ 3.30GHz
flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16 arch_capabilities
"""
SAPPHIRE_RAPIDS = COOPER_LAKE.replace("avx512_bf16", "amx_bf16 amx_tile")
SKYLAKE = COOPER_LAKE.replace(" avx512_bf16", "").replace("8369HB", "8163")


@pytest.fixture(autouse=True)
def keep_policy():
    kept = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(kept)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Pretend to be a machine with the given /proc/cpuinfo and GPUs."""

    def pretend(cpu_info, gpu=None):
        file = tmp_path / "cpuinfo"
        if cpu_info is not None:
            file.write_text(cpu_info)
        monkeypatch.setattr(hardware, "CPU_INFO", file)
        monkeypatch.setattr(hardware, "share_gpus", lambda: [] if gpu is None else ["GPU:0"])
        experimental = hardware.tf.config.experimental
        monkeypatch.setattr(experimental, "get_device_details", lambda device: gpu)

    return pretend


@pytest.mark.parametrize(
    ("cpu_info", "fast"),
    [
        (COOPER_LAKE, True),
        (SAPPHIRE_RAPIDS, True),
        (SKYLAKE, False),
        ("flags : avx512_bf16x my_amx_bf16", False),  # whole words only
        ("", False),
    ],
)
def test_cpu_flags(cpu_info, fast):
    assert hardware.cpu_computes_bfloat16(cpu_info) is fast


@pytest.mark.parametrize(
    ("capability", "fast"),
    [
        ((7, 5), False),
        ((8, 0), True),
        ((8, 9), True),
        ((9, 0), True),
        ((10, 0), True),
        (None, False),
    ],
)
def test_compute_capability(capability, fast):
    assert hardware.gpu_computes_bfloat16(capability) is fast


def test_describe_cpu(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 5}, raising=False)
    name = "Intel(R) Xeon(R) Platinum 8369HB CPU @ 3.30GHz"
    assert hardware.describe_cpu(COOPER_LAKE) == f"3 cores of {name}"


def test_describe_cpu_where_there_is_no_cpuinfo(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert hardware.describe_cpu("") == "8 cores of arm64"


@pytest.mark.parametrize(
    ("cpu_info", "asked", "precision"),
    [
        (COOPER_LAKE, "auto", "mixed_bfloat16"),
        (SKYLAKE, "auto", "float32"),
        (None, "auto", "float32"),
        (COOPER_LAKE, "float32", "float32"),
        (SKYLAKE, "mixed_bfloat16", "mixed_bfloat16"),
    ],
)
def test_precision_on_a_cpu(machine, cpu_info, asked, precision):
    machine(cpu_info)
    actual = hardware.configure(asked)
    assert actual.precision == precision
    assert keras.config.dtype_policy().name == precision
    assert " cores of " in actual.device


@pytest.mark.parametrize(
    ("details", "asked", "precision", "device"),
    [
        ({"device_name": "Tesla T4", "compute_capability": (7, 5)}, "auto", "float32", "Tesla T4"),
        ({"device_name": "A100", "compute_capability": (8, 0)}, "auto", "mixed_bfloat16", "A100"),
        ({"device_name": "A100", "compute_capability": (8, 0)}, "float32", "float32", "A100"),
        ({}, "auto", "float32", "GPU"),
    ],
)
def test_precision_on_a_gpu(machine, details, asked, precision, device):
    machine(COOPER_LAKE, gpu=details)  # the CPU's flags do not matter then
    assert hardware.configure(asked) == hardware.HardwareInUse(device, precision)
    assert keras.config.dtype_policy().name == precision


@pytest.mark.parametrize(
    ("strategy", "gpus", "cpus", "devices"),
    [
        ("auto", 0, 1, 1),
        ("auto", 0, 2, 1),
        ("auto", 1, 1, 1),
        ("auto", 4, 1, 4),
        ("single", 4, 1, 1),
        ("mirrored", 4, 1, 4),
        ("mirrored", 1, 2, 1),
        ("mirrored", 0, 2, 2),
        ("mirrored", 0, 1, 1),  # which is simply one device
    ],
)
def test_number_of_devices(machine, monkeypatch, strategy, gpus, cpus, devices):
    machine(SKYLAKE, gpu={"device_name": "A100"} if gpus else None)
    there = {"GPU": range(gpus), "CPU": range(cpus)}
    monkeypatch.setattr(hardware.tf.config, "list_logical_devices", lambda kind: [*there[kind]])
    actual = hardware.configure("float32", strategy)
    assert actual.devices == devices
    assert actual.recorded()["device"].startswith(f"{devices} × ") == (devices > 1)
    if devices == 1:
        with actual.scope():
            assert not hardware.tf.distribute.has_strategy()


def test_gpu_memory_is_taken_as_needed(monkeypatch):
    grown = []
    config = hardware.tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(
        config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on))
    )
    assert hardware.share_gpus() == ["GPU:0", "GPU:1"]
    assert grown == [("GPU:0", True), ("GPU:1", True)]
