"""A line to the engine that can be cut and mended: a TCP proxy on loopback."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Passes on what comes to `address` until `cut`, which also breaks what is open; `mend` passes on again."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._is_cut = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        self._is_cut.set()
        with self._lock:
            for side in self._open:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut.clear()

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                side, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut.is_set():
                side.close()
                continue
            try:
                other = socket.create_connection(self._target)
            except OSError:
                side.close()
                continue
            with self._lock:
                self._open |= {side, other}
            for pair in ((side, other), (other, side)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()


@contextlib.contextmanager
def proxy_to(address: str) -> Iterator[Proxy]:
    """A proxy to HOST:PORT for as long as the context lasts."""
    host, _, port = address.rpartition(":")
    proxy = Proxy((host, int(port)))
    try:
        yield proxy
    finally:
        proxy.close()
