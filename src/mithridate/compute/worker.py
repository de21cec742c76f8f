"""The worker process: takes a function and a task, gives the result back, until the other end closes."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from mithridate.compute.port import Failed, failed, portable


def serve(connection: Connection) -> None:
    """Answer tasks one by one; an exception is an answer too."""
    while True:
        try:
            function, task = connection.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # noqa: BLE001 - the function's module can't be loaded here; the parent is told
            connection.send(portable(failed(error)))
            continue
        try:
            result = function(task)
        except Exception as error:  # noqa: BLE001 - the task's own code; the failure is the answer
            result = portable(failed(error))
        _answer(connection, result)


def _answer(connection: Connection, result: object) -> None:
    try:
        connection.send(result)
    except OSError:
        raise SystemExit(0) from None  # nobody listens any more
    except Exception as error:  # noqa: BLE001 - the result, or its exception, can't be pickled; nothing was sent yet
        connection.send(Failed(f"the result can't be sent back: {type(error).__name__}: {error}"))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
