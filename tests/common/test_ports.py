import socket

from fifteen.common.errors import UserError
from fifteen.common.ports import require_free

import pytest


def test_a_port_is_free_once_its_server_has_ended():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = rf"port {port} is taken.*make it PORT={port + 1}"
        with pytest.raises(UserError, match=message):
            require_free(port, "make it PORT")
    require_free(port, "make it PORT")
