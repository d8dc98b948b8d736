"""A network between a program and the gateway, which can be lost."""

import contextlib
import socket
import threading


class Proxy:
    """Passes on what comes. The connections that it has when it is told to lose them go on to exist, and lead nowhere."""

    def __init__(self, target):
        host, port = target.split(":")
        self._target = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open, self._lost = [], set()
        self._threads = []
        self._begin(self._accept)

    def lose(self):
        self._lost.update(self._open)

    def _begin(self, target, *args):
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                gateway = socket.create_connection(self._target)
                self._open += client, gateway
                self._begin(self._pass_on, client, gateway)
                self._begin(self._pass_on, gateway, client)

    def _pass_on(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._lost:
                    sink.sendall(data)
            if source not in self._lost:
                sink.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._open):
            end.close()
