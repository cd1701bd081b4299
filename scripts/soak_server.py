#!/usr/bin/env python3
"""Thousands of requests with aborts, slow readers and clients that vanish, against a server of its own; then everything must be as before.

  scripts/soak_server.py LFM MODEL [--requests 10000 | --seconds N] [--clients 64] [--seed 1] [--sanitized]

Checked: every answer that was read to its end equals the same request's answer of a quiet server; after the storm nothing runs or waits, no page of the
cache is held by anybody (lfm_cache_used_bytes = lfm_cache_prefix_bytes), the resident memory has not grown by more than 2 % since the warm-up (a tenth of the
requests), and the ledger has a row for every answer that was begun. Of a sanitizer's build (--sanitized) the memory is not looked at; its reports make the
server's exit code. Ends with 0 if all holds. Standard library only.
"""
import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

PROMPTS = 40  # different ones; each is answered once quietly first


class Server:
    def __init__(self, lfm, model, folder):
        self.log_path = os.path.join(folder, "log")
        self.ledger = os.path.join(folder, "ledger")
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([lfm, "serve", "-m", model, "--port", "0", "--ctx", "1024", "--ledger", self.ledger, "--log", "none"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while True:
            text = open(self.log_path).read()
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", text):
                self.port = int(found.group(1))
                return
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the server did not start: {text}")
            time.sleep(0.05)

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.log.close()
        return code


def body_of(i, stream):
    system = "You write what you are asked to write, in few words. " * (8 * (i % 5))  # pages of their prefixes are shared and kept
    return {"model": "lfm-demo", "messages": [{"role": "system", "content": system + "Be brief."}, {"role": "user", "content": f"Write {i % 7 + 1} words about {i}."}],
            "max_tokens": 8 + i % 25, "temperature": 0.7, "seed": i, "ignore_eos": True, "stream": stream}


async def ask(port, body, how="read", path="/v1/chat/completions"):
    """The text of the answer; None when this client left on purpose; an exception for any other fault."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        data = json.dumps(body).encode()
        if how == "half":  # vanishes in the middle of its request
            writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data[:9])
            await writer.drain()
            return None
        writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        if how == "gone":
            return None
        got = b""
        if how in ("abort", "slow"):
            got = await reader.read(300)
            if how == "abort":
                return None
            await asyncio.sleep(0.3)
        got += await asyncio.wait_for(reader.read(), 300)
        head, _, rest = got.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(got[:500])
        if not body["stream"]:
            return json.loads(rest)["choices"][0]["message"]["content"]
        events = [json.loads(line[6:]) for line in re.findall(rb"data: \{.*", rest)]
        if b"data: [DONE]" not in rest:
            raise RuntimeError(f"the stream broke off: {rest[-200:]}")
        return "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    finally:
        writer.close()


async def fetch(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    got = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return got.partition(b"\r\n\r\n")[2].decode()


def value(text, name):
    return float(re.search(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.M).group(1))


async def storm(server, args, wanted, rnd):
    wrong, n_read, n_begun, warm = [], 0, 0, None
    begin = time.monotonic()

    def done():  # the part of the storm that is over
        return (time.monotonic() - begin) / args.seconds if args.seconds else n_begun / args.requests

    async def client():
        nonlocal n_read, n_begun, warm
        while (part := done()) < 1:
            i, n_begun = n_begun, n_begun + 1
            if warm is None and part >= 0.1:
                warm = server.resident()
            n = rnd.randrange(PROMPTS)
            how = rnd.choices(["read", "abort", "slow", "gone", "half"], [50, 25, 10, 10, 5])[0]
            try:
                text = await ask(server.port, body_of(n, how in ("abort", "slow") or rnd.random() < 0.5), how)
            except Exception as error:  # noqa: BLE001: whatever it is, it is a fault of the server
                wrong.append(f"request {i} ({how}): {error!r}")
                continue
            if text is not None:
                n_read += 1
                if text != wanted[n]:
                    wrong.append(f"request {i}: {text!r} instead of {wanted[n]!r}")
            if i % 500 == 0 and sys.stderr.isatty():
                print(f"\r{i} requests, {100 * part:.0f} %", end="", file=sys.stderr)

    await asyncio.gather(*(client() for _ in range(args.clients)))
    return wrong, n_read, n_begun, warm


async def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lfm")
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=0, help="as many requests as that gives")
    parser.add_argument("--sanitized", action="store_true", help="a sanitizer's build, whose memory grows")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(args.lfm, args.model, folder)
        wanted = [await ask(server.port, body_of(i, False)) for i in range(PROMPTS)]
        begin = time.monotonic()
        wrong, n_read, n_begun, warm = await storm(server, args, wanted, random.Random(args.seed))
        seconds = time.monotonic() - begin
        end = time.monotonic() + 60
        while True:
            text = await fetch(server.port, "/metrics")
            busy = {name: value(text, name) for name in ("vllm:num_requests_running", "vllm:num_requests_waiting")}
            used, kept = value(text, "lfm_cache_used_bytes"), value(text, "lfm_cache_prefix_bytes")
            if (not any(busy.values()) and used == kept) or time.monotonic() > end:
                break
            await asyncio.sleep(0.3)
        for i in range(PROMPTS):
            if (text := await ask(server.port, body_of(i, True))) != wanted[i]:
                wrong.append(f"afterwards: {text!r} instead of {wanted[i]!r}")
        after = server.resident()
        code = server.end()
        said_by_server = open(server.log_path).read()[-8000:]
        rows = subprocess.run([args.lfm, "usage", "--ledger", server.ledger, "--json"], capture_output=True, text=True, check=True).stdout
        n_rows = len(rows.splitlines())
    checks = [("answers equal", not wrong, f"{n_read} read to the end, {len(wrong)} wrong"),
              ("nothing runs or waits", not any(busy.values()), str(busy)),
              ("no page is held", used == kept, f"{used:.0f} bytes used, {kept:.0f} of them kept prefixes"),
              ("memory is flat", args.sanitized or after <= warm * 1.02, f"{warm / 2**20:.1f} MiB after the warm-up, {after / 2**20:.1f} at the end"),
              ("the ledger has every answer", n_rows >= n_read + 2 * PROMPTS, f"{n_rows} rows"),
              ("ends on SIGTERM", code == 0, f"exit code {code}")]
    for name, good, said in checks:
        print(f"{'ok   ' if good else 'WRONG'} {name}: {said}")
    for line in wrong[:10]:
        print("      " + line)
    if code != 0:
        print(said_by_server)
    print(f"{n_begun} requests of {args.clients} clients in {seconds:.0f} s")
    return 0 if all(good for _, good, _ in checks) else 1


sys.exit(asyncio.run(main()))
