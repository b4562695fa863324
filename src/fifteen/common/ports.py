"""Network ports of this machine."""

import socket

from fifteen.common.errors import UserError


def require_free(port: int, setting: str) -> None:
    """Make sure that a port of this machine is free.

    Args:
        port: the port.
        setting: how a user chooses another one, such as `make ui PORT`.

    Raises:
        UserError: another server uses it.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is taken; choose another one ({setting}={port + 1})")
