"""Runs Python files in forks of a process that has imported the package.

To import it takes longer than most commands of a page. The client, :mod:`python_shim`, sends the
arguments, the folder and the environment of a command with its input and outputs, and ends with
the exit code of the fork.
"""

import atexit
import json
import os
import runpy
import signal
import socket
import sys
import traceback
from pathlib import Path

# Of a message; bash passes no longer environment here.
MOST_BYTES = 1 << 20


def run_file(arguments, folder, variables):
    """Run a Python file as `python FILE ...` does; return the exit code."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    try:
        runpy.run_path(arguments[0], run_name='__main__')
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
        return code if isinstance(code, int) else int(code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def answer(connection):
    """Run the command of a client in this fork, on the client's input and outputs."""
    data, streams, _, _ = socket.recv_fds(connection, MOST_BYTES, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    command = json.loads(data)
    code = run_file(command['arguments'], command['folder'], command['variables'])
    # As at the end of any Python process: among others the data workers end.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code]))
    os._exit(code)


def serve(address):
    """Answer clients, each in a fork, until the process is stopped."""

    import mmlabelpenet.apis  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        while True:
            connection, _ = server.accept()
            with connection:
                if not os.fork():
                    server.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    answer(connection)


def run_on_server(address, arguments):
    """Let the server run a Python file with the input and outputs of this process.

    Args:
        address: Of the server's socket.
        arguments: The file and its arguments.

    Returns:
        The exit code; None without a server.
    """
    command = dict(arguments=arguments, folder=os.getcwd(), variables=dict(os.environ))
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(address)
        except OSError:
            return None
        socket.send_fds(client, [json.dumps(command).encode()], [0, 1, 2])
        # nothing comes from a fork that a signal has ended
        return (client.recv(1) or b'\xff')[0]


if __name__ == '__main__':
    serve(sys.argv[1])
