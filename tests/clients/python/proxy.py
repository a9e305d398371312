"""A TCP proxy whose connections can be cut, as a network that fails."""

import contextlib
import itertools
import socket
import threading

from server import PATIENCE


class Proxy:
    """Forwards `url` to a server until it is cut; what comes after is forwarded again."""

    def __init__(self, server):
        self.behind = server.url.removeprefix("http://").rsplit(":", 1)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection((self.behind[0], int(self.behind[1])), PATIENCE)
                far.settimeout(None)
                self.pairs.append((near, far))
                for source, sink in [(near, far), (far, near)]:
                    threading.Thread(target=forward, args=(source, sink), daemon=True).start()

    def cut(self):
        """Ends every connection that there is, both ways, without a word of WebSocket."""
        there, self.pairs = self.pairs, []
        for end in itertools.chain.from_iterable(there):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        self.cut()


def forward(source, sink):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
