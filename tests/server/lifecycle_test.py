"""lfm serve from outside: start, readiness, draining, SIGKILL and the ledger, sockets, keys, metrics. Standard library only.

usage: lifecycle_test.py LFM MODEL [unittest arguments]
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings

LFM, MODEL = (os.path.abspath(path) for path in sys.argv[1:3])
READY_S = 120  # sanitizers and a busy machine


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Serve:
    """A running lfm serve on a free port; ended by its own pid."""

    def __init__(self, folder, *args, ready=True, environment=None, command=None, pass_fds=()):
        self.log_path = os.path.join(folder, f"log{time.monotonic_ns()}")
        self.log_file = open(self.log_path, "wb")
        command = command or [LFM, "serve", "-m", MODEL, "--port", "0", "-t", "1", "--ctx", "2048",
                              "--ledger", os.path.join(folder, "ledger"), *args]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=subprocess.STDOUT,
                                        env={**os.environ, **(environment or {})}, pass_fds=pass_fds)
        self.port = None
        if ready:
            self.wait()

    def log(self):
        return pathlib.Path(self.log_path).read_text()

    def wait(self, scheme="http"):
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.log()}")
            if self.port is None and (found := re.search(scheme + r"://127\.0\.0\.1:(\d+)", self.log())):
                self.port = int(found.group(1))
            try:
                if self.port and self.ask("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.log()}")

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, headers=None):
        connection = self.connection()
        try:
            headers = {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def model(self, headers=None):
        return json.loads(self.ask("GET", "/v1/models", headers=headers)[2])["data"][0]["id"]

    def complete(self, n=4, **more):
        return self.ask("POST", "/v1/completions", {"model": self.model(), "prompt": "Hello", "max_tokens": n, "ignore_eos": True, **more})

    def end(self, number=signal.SIGTERM, limit=60):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(limit)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log_file.close()


class Streaming(threading.Thread):
    def __init__(self, server, n):
        super().__init__(daemon=True)
        self.server, self.n, self.began, self.bytes, self.error = server, n, threading.Event(), b"", None
        self.model = server.model()
        self.start()

    def run(self):
        connection = self.server.connection()
        try:
            body = {"model": self.model, "prompt": "Hello", "max_tokens": self.n, "ignore_eos": True, "stream": True}
            connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            while piece := answer.read1(65536):
                self.bytes += piece
                self.began.set()
        except Exception as error:  # noqa: BLE001: the test says what it was
            self.error = error
        finally:
            self.began.set()
            connection.close()

    def whole(self):
        return self.error is None and self.bytes.endswith(b"data: [DONE]\n\n") and b'"length"' in self.bytes


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def usage(self, *args):
        done = subprocess.run([LFM, "usage", "--ledger", os.path.join(self.folder, "ledger"), *args], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def rows(self):
        return [json.loads(line) for line in self.usage("--json").splitlines()]


class Life(Case):
    def test_ends_at_once_when_idle(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Serve(self.folder, "--drain-timeout", "3600") as server:
                kept = server.connection()
                kept.request("GET", "/health")
                self.assertEqual(json.loads(kept.getresponse().read()), {"status": "ok"})
                self.assertEqual(server.end(number), 0, server.log())
                kept.close()

    def test_drains(self):
        with Serve(self.folder) as server:
            streams = [Streaming(server, 400) for _ in range(3)]
            for stream in streams:
                stream.began.wait(60)
            server.process.send_signal(signal.SIGTERM)
            end, status = time.monotonic() + 60, 400
            while status == 400 and time.monotonic() < end:  # the signal has not arrived yet: there is no such model
                try:
                    status = server.ask("POST", "/v1/completions", {})[0]
                except (OSError, http.client.HTTPException):
                    status = 503  # all answers were whole before this was asked
            self.assertEqual(status, 503)
            self.assertEqual(server.process.wait(120), 0, server.log())
            for stream in streams:
                stream.join(60)
                self.assertTrue(stream.whole(), (stream.error, stream.bytes[-200:]))
        self.assertEqual([row["completion_tokens"] for row in self.rows()], [400] * 3)

    def test_drain_timeout_and_a_second_signal(self):
        with Serve(self.folder, "--drain-timeout", "1") as server:
            stream = Streaming(server, 100_000)
            stream.began.wait(60)
            self.assertEqual(server.end(limit=60), 0)
            stream.join(60)
            self.assertTrue(stream.bytes.endswith(b"[DONE]\n\n"), stream.bytes[-200:])
        with Serve(self.folder, "--drain-timeout", "3600") as server:
            stream = Streaming(server, 100_000)
            stream.began.wait(60)
            while server.process.poll() is None:  # two that come at once are one
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)

    def test_says_in_one_line_what_is_wrong(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            for args, words in ((["--port", port], [port, "in use"]), (["--api-key-file", "/nowhere/keys"], ["/nowhere/keys"]),
                                (["--ledger", "/nowhere/ledger"], ["/nowhere/ledger"]), (["--host", "0.0.0.0"], ["--no-auth"]),
                                (["--listen", "nonsense"], ["nonsense"]), (["--tls-cert", "x"], ["--tls-key"])):
                done = subprocess.run([LFM, "serve", "-m", MODEL, "--port", "0", "--ledger", "none", *args], capture_output=True, timeout=60)
                message = done.stderr.decode()
                self.assertIn(done.returncode, (1, 2), message)
                self.assertEqual(message.count("\n"), 1, message)
                for word in words:
                    self.assertIn(word, message)

    def test_ledger_survives_sigkill(self):
        with Serve(self.folder, "--alias", "liquid/lfm2-8b-a1b") as server:
            answers = [server.complete(n) for n in (3, 5)]
            server.process.kill()
            server.process.wait()
        rows = self.rows()
        self.assertEqual([row["completion_tokens"] for row in rows], [3, 5])
        for row, (_, headers, body) in zip(rows, answers):
            usage = json.loads(body)["usage"]
            self.assertEqual(row["request_id"], headers["x-request-id"])
            self.assertEqual(row["prompt_tokens"], usage["prompt_tokens"])
            cost = row["prompt_tokens"] * 10_000 + row["completion_tokens"] * 20_000
            self.assertEqual(row["cost_pico_dollars"], cost)
        self.assertEqual(len(self.usage("--csv").splitlines()), 3)
        self.assertIn("8", self.usage("--by", "day"))
        with Serve(self.folder) as server:
            server.complete(2)
            data = json.loads(server.ask("GET", "/v1/usage")[2])["data"]
            self.assertEqual([row["completion_tokens"] for row in data], [3, 5, 2])
            self.assertEqual(json.loads(server.ask("GET", "/v1/usage?by=model&since=1d")[2])["data"][0]["requests"], 3)
            self.assertEqual(server.ask("GET", "/v1/usage?by=x")[0], 400)


class Access(Case):
    def test_keys_limits_and_reload(self):
        path = os.path.join(self.folder, "keys")
        pathlib.Path(path).write_text("first label=anna\nslow rpm=1\n")
        with Serve(self.folder, "--api-key-file", path) as server:
            bearer = lambda key: {"Authorization": "Bearer " + key}  # noqa: E731
            for method, route in (("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/nowhere"), ("POST", "/v1/completions")):
                status, headers, body = server.ask(method, route, {} if method == "POST" else None)
                self.assertEqual(status, 401, route)
                self.assertEqual(json.loads(body)["error"]["code"], "invalid_api_key")
                self.assertIn("x-request-id", headers)
            self.assertEqual(server.ask("GET", "/v1/models", headers=bearer("first"))[0], 200)
            body = {"model": server.model(bearer("first")), "prompt": "x", "max_tokens": 1}
            self.assertEqual(server.ask("POST", "/v1/completions", body, {"x-api-key": "slow"})[0], 200)
            for _ in range(20):  # a minute may pass between two requests on a machine that sleeps
                status, headers, _ = server.ask("POST", "/v1/completions", body, {"x-api-key": "slow"})
                if status != 200:
                    break
            self.assertEqual(status, 429)
            self.assertGreater(int(headers["retry-after"]), 0)
            pathlib.Path(path).write_text("second\n")
            server.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 60
            while server.ask("GET", "/v1/models", headers=bearer("second"))[0] != 200 and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual(server.ask("GET", "/v1/models", headers=bearer("second"))[0], 200)
            self.assertEqual(server.ask("GET", "/v1/models", headers=bearer("first"))[0], 401)

    def test_hosts_origins_and_types(self):
        with Serve(self.folder, "--cors-origin", "https://app.example") as server:
            self.assertEqual(server.ask("GET", "/v1/models", headers={"Host": "evil.example"})[0], 403)
            self.assertEqual(server.ask("GET", "/v1/models", headers={"Origin": "https://evil.example"})[0], 403)
            status, headers, _ = server.ask("GET", "/v1/models", headers={"Origin": "https://app.example"})
            self.assertEqual((status, headers["access-control-allow-origin"], headers["vary"]), (200, "https://app.example", "Origin"))
            status, headers, _ = server.ask("OPTIONS", "/v1/chat/completions", headers={
                "Origin": "https://app.example", "Access-Control-Request-Method": "POST"})
            self.assertEqual(status, 200)
            self.assertIn("X-Stainless-Retry-Count", headers["access-control-allow-headers"])
            self.assertEqual(server.ask("POST", "/v1/completions", {}, {"Content-Type": "text/plain"})[0], 415)


class Sockets(Case):
    def test_unix(self):
        path = os.path.join(self.folder, "socket")
        for end in (signal.SIGKILL, signal.SIGTERM):
            command = [LFM, "serve", "-m", MODEL, "--listen", "unix:" + path, "--ledger", "none", "-t", "1"]
            with Serve(self.folder, ready=False, command=command) as server:
                until = time.monotonic() + READY_S
                status = 0
                while status != 200 and time.monotonic() < until:
                    connection = Unix(path)
                    try:
                        connection.request("GET", "/health")
                        status = connection.getresponse().status
                    except OSError:
                        time.sleep(0.02)
                    finally:
                        connection.close()
                self.assertEqual(status, 200, server.log())
                self.assertEqual(os.stat(path).st_mode & 0o007, 0)
                server.end(end)
        self.assertFalse(os.path.exists(path))

    def test_socket_activation(self):
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(8)
            port = listening.getsockname()[1]
            fd = listening.fileno()
            script = f'exec 3<&{fd}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
            command = ["bash", "-c", script, "x", LFM, "serve", "-m", MODEL, "--ledger", "none", "-t", "1"]
            with Serve(self.folder, ready=False, command=command, pass_fds=(fd,)) as server:
                server.port = port
                server.wait()
                self.assertEqual(server.end(), 0)


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
class Tls(Case):
    def setUp(self):
        super().setUp()
        self.certificate, self.key = (os.path.join(self.folder, name) for name in ("cert.pem", "key.pem"))
        self.make(self.certificate, self.key)

    @staticmethod
    def make(certificate, key):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)

    def test_answers_and_streams(self):
        with Serve(self.folder, "--tls-cert", self.certificate, "--tls-key", self.key, ready=False) as server:
            trusting = ssl.create_default_context(cafile=self.certificate)
            server.connection = lambda: http.client.HTTPSConnection("127.0.0.1", server.port, timeout=60, context=trusting)
            server.wait("https")
            status, _, body = server.complete(5)
            self.assertEqual((status, json.loads(body)["usage"]["completion_tokens"]), (200, 5))
            status, _, body = server.complete(5, stream=True)
            self.assertEqual(status, 200)
            self.assertTrue(body.endswith(b"data: [DONE]\n\n"))
            # Who does not trust the certificate, speaks plainly or offers TLS 1.1 gets nothing, and nobody else notices.
            with self.assertRaises(ssl.SSLError):
                ssl.create_default_context().wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="localhost")
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
                plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertNotIn(b"HTTP/1.1 200", self.read_all(plain))
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                old.maximum_version = ssl.TLSVersion.TLSv1_1
            with self.assertRaises((ssl.SSLError, OSError)):
                old.wrap_socket(socket.create_connection(("127.0.0.1", server.port)))
            with socket.create_connection(("127.0.0.1", server.port)):  # says nothing
                self.assertEqual(server.complete(3)[0], 200)
            self.assertEqual(server.end(), 0)

    @staticmethod
    def read_all(connection):
        got = b""
        try:
            while piece := connection.recv(4096):
                got += piece
        except ConnectionError:
            pass
        return got

    def test_files_that_are_none(self):
        other = os.path.join(self.folder, "other.pem")
        self.make(os.path.join(self.folder, "ignored.pem"), other)
        empty = os.path.join(self.folder, "empty.pem")
        open(empty, "w").close()
        for certificate, key, word in ((self.certificate, other, "key"), (empty, self.key, "empty.pem"), (self.certificate, "/nowhere", "/nowhere")):
            done = subprocess.run([LFM, "serve", "-m", MODEL, "--port", "0", "--ledger", "none", "--tls-cert", certificate, "--tls-key", key],
                                  capture_output=True, text=True, timeout=60)
            self.assertIn(done.returncode, (1, 2, 3), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(word, done.stderr)


class Figures(Case):
    def test_metrics_agree_with_answers(self):
        with Serve(self.folder) as server:
            usages = [json.loads(server.complete(n)[2])["usage"] for n in (3, 7)]
            text = server.ask("GET", "/metrics")[2].decode()
            value = lambda name: float(re.search(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.M).group(1))  # noqa: E731
            self.assertEqual(value("vllm:prompt_tokens_total"), sum(u["prompt_tokens"] for u in usages))
            self.assertEqual(value("vllm:generation_tokens_total"), 10)
            self.assertEqual(value("vllm:time_to_first_token_seconds_count"), 2)
            self.assertEqual(value("vllm:num_requests_running"), 0)
            self.assertIn("lfm_ready 1\n", text)
            # vLLM's names have a colon, which the linter dislikes; docs/metrics.md.
            self.assertEqual([line for line in self.lint(text) if "should not contain ':'" not in line], [])

    def test_steps_are_compared_with_the_machine(self):
        with Serve(self.folder, "--stats", "--metrics-prefix", "vllm_") as server:
            server.complete(7)
            text = server.ask("GET", "/metrics")[2].decode()
            of = dict(re.findall(r"^(lfm_engine_\w+?)\{[^}]*\} (\S+)$", text, re.M))
            phases = dict(re.findall(r'^lfm_engine_step_seconds_total\{[^}]*phase="(\w+)"\} (\S+)$', text, re.M))
            self.assertEqual(set(phases), {"embedding", "conv", "attention", "router", "experts", "dense", "head", "forward", "sampling"})
            self.assertGreater(float(phases["conv"]), 0)
            self.assertGreater(float(of["lfm_engine_least_seconds_total"]), 0)
            self.assertGreater(int(float(of["lfm_engine_step_bytes_total"])), 0)
            self.assertLess(float(of["lfm_engine_least_seconds_total"]), sum(map(float, phases.values())))
            self.assertIn("vllm_prompt_tokens_total{", text)
            self.assertEqual(self.lint(text), [])

    @staticmethod
    def lint(text):
        """What promtool says of it, line by line; nothing where it is not installed."""
        if not shutil.which("promtool"):
            return []
        done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True)
        return (done.stdout + done.stderr).decode().splitlines()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
