"""Which images are right, as text."""

import base64

import numpy as np


def packed(right: np.ndarray) -> str:
    """Booleans, (N,), as text for JSON."""
    return f"{len(right)}:{base64.b64encode(np.packbits(right).tobytes()).decode('ascii')}"


def unpacked(text: str) -> np.ndarray:
    """The booleans that `packed` was given, (N,)."""
    count, _, encoded = text.partition(":")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(encoded), np.uint8), count=int(count))
    return bits.astype(bool)
