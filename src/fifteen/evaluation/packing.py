"""Which images are classified right, as compact text for JSON."""

import base64

import numpy as np


def packed(right: np.ndarray) -> str:
    """Booleans, (N,), as text: their number and the base64 of their bits."""
    return f"{len(right)}:{base64.b64encode(np.packbits(right).tobytes()).decode('ascii')}"


def unpacked(text: str) -> np.ndarray:
    """The booleans, (N,), of a text from `packed`."""
    count, _, encoded = text.partition(":")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(encoded), np.uint8), count=int(count))
    return bits.astype(bool)
