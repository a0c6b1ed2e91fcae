"""serve.py MODEL.gguf [--until-eof]: serves a model on loopback until it is terminated, or until
its standard input ends.

llama.cpp's server speaks the OpenAI protocol; ollama-proxy, a child of this process, speaks
Ollama's and passes on to it. Prints one line of JSON when both answer:
{"openai": "http://127.0.0.1:N/v1", "ollama": "http://127.0.0.1:M", "model": "...", "ollama_model": "..."}

One thread computes: on two busy cores llama.cpp's threads wait for each other most of the time.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import xllamacpp

NAME = "smollm2:135m"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_llama(model, port):
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {NAME} if not isinstance(params.model_alias, str) else NAME
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    # So small a model, asked for the likeliest words only, else says the same for ever.
    params.sampling.penalty_repeat = 1.1
    params.sampling.penalty_last_n = 512
    params.warmup = False
    return xllamacpp.Server(params)


def start_proxy(openai_url, port):
    env = dict(os.environ)
    env["PROVIDERS_LOCAL_BASE_URL"] = openai_url
    env["PROVIDERS_LOCAL_API_KEY"] = "none"
    env["EXTRA_MODELS"] = f"local/{NAME}"
    proxy = os.path.join(os.path.dirname(sys.executable), "ollama-proxy")
    return subprocess.Popen(
        [proxy, "serve", "--host", "127.0.0.1", "--port", str(port)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )


def wait_for(url, child):
    for _ in range(600):
        if child.poll() is not None:
            sys.exit(f"ollama-proxy ended with {child.returncode}")
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"nothing answers at {url}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    openai = f"http://127.0.0.1:{(llama_port := free_port())}/v1"
    llama = start_llama(sys.argv[1], llama_port)
    ollama = f"http://127.0.0.1:{(proxy_port := free_port())}"
    proxy = start_proxy(openai, proxy_port)
    try:
        wait_for(f"{openai}/models", proxy)
        wait_for(f"{ollama}/api/version", proxy)
        served = {"openai": openai, "ollama": ollama, "model": NAME, "ollama_model": f"local/{NAME}"}
        print(json.dumps(served), flush=True)
        if sys.argv[2:] == ["--until-eof"]:
            sys.stdin.read()
            return
        while True:
            signal.pause()
    finally:
        proxy.terminate()
        proxy.wait()
    del llama


main()
