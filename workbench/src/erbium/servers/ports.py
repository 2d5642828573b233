"""Free ports of 127.0.0.1."""

import socket

HOST = "127.0.0.1"
TRIES_MAX = 5  # somebody may take the port between our look and the server's


def free_port() -> int:
    """A port that nobody listens on at this moment. Chosen anew at every start."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
