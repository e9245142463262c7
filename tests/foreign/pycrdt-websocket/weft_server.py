"""A pytest plugin: pycrdt-websocket's tests meet the weft binary instead of its own server.

It is loaded before the tests' conftest.py, and replaces the one function of their `utils` that starts a server. The
clients put what they take for the port before the name of the room, so it names the path as well.
"""

import os
import subprocess
import tempfile
from contextlib import asynccontextmanager

import pytest
import utils


@asynccontextmanager
async def create_yws_server(port, websocket_server_api=None, **kwargs):
    with tempfile.TemporaryDirectory(prefix="weft-") as data:
        weft = subprocess.Popen(
            [os.environ["WEFT_BIN"], "--listen", "127.0.0.1:0", "--data", data, "--log", "warn"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = weft.stdout.readline()
            assert line.startswith("listening on http://"), f"weft does not say where it listens: {line!r}"
            pytest.port = line.strip().rsplit(":", 1)[1] + "/ws"
            yield pytest.port, None
        finally:
            weft.kill()
            weft.wait()


utils.create_yws_server = create_yws_server
