"""The server process: `python -P -m runner.local.process --weights FILE ...`.

It writes one JSON line with its address when it is ready, serves until its standard input ends,
and then leaves. A parent that stops, crashes or is killed closes that pipe, so no server outlives
the run that started it.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence

ERRORS_ONLY = 1
"""Verbosity of llama.cpp: anything higher would log requests."""


def serve(options: argparse.Namespace) -> str:
    """Start the server and give its address.

    It computes in one thread. Threads of llama.cpp wait for each other by spinning: two of them on
    two cores that others use too fell from 36 to 7 tokens a second.
    """
    import xllamacpp  # noqa: PLC0415 - 100 MB of native code, for this process alone

    params = xllamacpp.CommonParams()
    params.model.path = options.weights
    params.model_alias = {options.alias}  # otherwise replies name the file's path
    params.port = options.port
    params.hostnames = ["127.0.0.1"]
    params.n_parallel = options.slots
    params.n_ctx = options.context * options.slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = options.cache_mib
    params.verbosity = ERRORS_ONLY
    params.ui = params.endpoint_slots = False
    params.cors_origins = "http://127.0.0.1"  # by default any web page may call the server
    server = xllamacpp.Server(params)
    # The object must outlive this function: its destructor stops the server.
    _RUNNING.append(server)
    return str(server.listening_address)


_RUNNING: list[object] = []


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="runner.local.process")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--cache-mib", type=int, default=768)
    parser.add_argument("--port", type=int, default=0)
    try:
        url = serve(parser.parse_args(argv))
    except (ImportError, RuntimeError) as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    # A generation under way would hold up a polite end, and nobody is left to read it.
    os._exit(0)


if __name__ == "__main__":
    main()
