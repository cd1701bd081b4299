"""Asks an OpenAI-compatible server, patiently, and never twice for what it has been answered. Standard library only.

Every answer is written to a journal the moment it arrives; the same request is then taken from there, so a run that is killed goes on where
it was. What a server or network gets wrong raises Unavailable or Refused: no such thing may ever count as a model's wrong answer.
"""
import contextlib
import email.utils
import hashlib
import http.client
import json
import os
import random
import threading
import time
import urllib.parse

RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 529}
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 300.0


class Infrastructure(RuntimeError):
    """Not the model's fault."""


class Unavailable(Infrastructure):
    """No answer after all retries."""


class Refused(Infrastructure):
    """The server does not take the request, and would not take it again."""


class Journal:
    """Answers by request, in a file of JSON lines that only grows. Safe for threads; one process at a time (the file is locked)."""

    def __init__(self, path):
        self.lock, self.answers, self.asking = threading.Lock(), {}, {}
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        self.file = open(path, "a+b")
        _lock_file(self.file, path)
        self.file.seek(0)
        whole = 0
        for line in self.file:
            try:
                entry = json.loads(line)
                self.answers[entry["key"]] = entry["answer"]
            except (ValueError, KeyError, TypeError):
                break  # the line that a kill cut off: it and nothing else is dropped
            if not line.endswith(b"\n"):
                break
            whole += len(line)
        self.file.truncate(whole)
        self.file.seek(whole)

    def get(self, key):
        with self.lock:
            return self.answers.get(key)

    def put(self, key, answer):
        line = json.dumps({"key": key, "answer": answer}, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        with self.lock:
            self.answers[key] = answer
            self.file.write(line)
            self.file.flush()
            os.fsync(self.file.fileno())

    @contextlib.contextmanager
    def alone(self, key):
        """One thread at a time for a key: a second that wants the same answer waits for the first one's."""
        with self.lock:
            turn, waiting = self.asking.get(key, (threading.Lock(), 0))
            self.asking[key] = turn, waiting + 1
        try:
            with turn:
                yield
        finally:
            with self.lock:
                _, waiting = self.asking.pop(key)
                if waiting > 1:
                    self.asking[key] = turn, waiting - 1

    def close(self):
        self.file.close()


def _lock_file(file, path):
    import fcntl  # not on every system, where then two runs at once are the user's affair

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"{path} is in use by another run; wait for it, or name another folder with --out") from None


class Endpoint:
    """One model behind a base URL such as http://127.0.0.1:8080/v1.

    `timeout` is in seconds and for one whole answer: 16,384 tokens at 15 a second take 18 minutes, so no shorter default of a library will do.
    `retries` bounds the tries after the first; `connections` bounds the requests at a time. `scope` names the weights, so that a journal
    never gives one model's answer for another's. `alive` says whether there is a server to wait for.
    """

    def __init__(self, base_url, model, key=None, timeout=7200.0, retries=30, connections=1, journal=None, scope="", alive=lambda: True):
        self.url = urllib.parse.urlsplit(base_url.rstrip("/"))
        if self.url.scheme not in ("http", "https") or not self.url.hostname:
            raise SystemExit(f"'{base_url}' is no URL of a server: give one such as http://127.0.0.1:8080/v1")
        self.model, self.key, self.timeout, self.retries = model, key, timeout, retries
        self.slots, self.journal, self.scope = threading.BoundedSemaphore(connections), journal, scope
        self.connections, self.alive = connections, alive
        self.sent = 0

    def chat(self, body):
        """The answer to POST /chat/completions with this model, as the server gives it.

        A prompt beyond the context gives {"choices": [], "context_length_exceeded": True}: that is the model's limit and no failure.
        """
        body = {"model": self.model, **body}
        # The model's name and the server's address may change between a run and its continuation; the weights (scope) may not.
        identity = {**body, "model": None}
        key = hashlib.sha256(json.dumps([self.scope, identity], sort_keys=True).encode()).hexdigest()
        if not self.journal:
            with self.slots:
                return self._patiently("POST", "/chat/completions", body)
        with self.journal.alone(key):
            answer = self.journal.get(key)
            if answer is None:
                with self.slots:
                    answer = self._patiently("POST", "/chat/completions", body)
                self.journal.put(key, answer)
            return answer

    def get(self, path):
        """GET of a path below the base URL, parsed."""
        return self._patiently("GET", path, None)

    def _patiently(self, method, path, body):
        reason = ""
        for attempt in range(self.retries + 1):
            wait = min(LONGEST_WAIT, 0.5 * 2 ** min(attempt, 20)) * (0.5 + random.random() / 2)
            try:
                status, headers, text = self._once(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                reason = f"{type(error).__name__}: {error}".rstrip(": ")
            else:
                try:
                    answer = json.loads(text)
                except ValueError:
                    answer = None
                if status == 200 and _is_answer(answer, path):
                    return answer
                fault = answer.get("error") if isinstance(answer, dict) else None
                fault = fault if isinstance(fault, dict) else {}
                if status == 400 and fault.get("code") == "context_length_exceeded":
                    return {"choices": [], "context_length_exceeded": True}
                reason = f"HTTP {status}" + (f", {fault['message']}" if fault.get("message") else "" if status != 200 else ", not a chat completion")
                if status != 200 and status not in RETRIED:
                    raise Refused(f"{self.url.geturl()}{path}: {reason}")
                wait = max(wait, _retry_after(headers.get("Retry-After")))
            if not self.alive():
                raise Unavailable(f"{self.url.geturl()}: the server has ended; {reason}")
            if attempt < self.retries:
                time.sleep(wait)
        raise Unavailable(f"{self.url.geturl()}{path}: no answer in {self.retries + 1} tries; the last: {reason}")

    def _once(self, method, path, body):
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.url.hostname, self.url.port, timeout=self.timeout)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key or 'none'}"}
            self.sent += 1
            connection.request(method, self.url.path + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


def _is_answer(answer, path):
    if path != "/chat/completions":
        return answer is not None
    choices = answer.get("choices") if isinstance(answer, dict) else None
    return bool(isinstance(choices, list) and choices and isinstance(choices[0], dict) and isinstance(choices[0].get("message"), dict))


def _retry_after(value):
    """Seconds of a Retry-After header, a number or a date; 0 without one."""
    if not value:
        return 0.0
    try:
        return min(LONGEST_RETRY_AFTER, max(0.0, float(value)))
    except ValueError:
        pass
    try:
        return min(LONGEST_RETRY_AFTER, max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time()))
    except ValueError:
        return 0.0


def text_of(answer):
    """The text of an answer's first choice, "" where there is none."""
    content = answer["choices"][0]["message"].get("content") if answer["choices"] else None
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def was_cut(answer):
    """Whether an answer met a limit: of tokens, or of the context before it began."""
    return bool(answer.get("context_length_exceeded")) or any(choice.get("finish_reason") == "length" for choice in answer["choices"])
