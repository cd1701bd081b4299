"""A stand-in for a model behind OpenAI's API: answers from a script, faults on request, a line in a log for every request. Standard library only.

    standin.py SCRIPT.json LOG [--port N] [--faults 429,500,503,drop,junk,slow] [--hold N] [--refuse TEXT]

SCRIPT is a list of rules; the first whose "contains" are all in the request's text gives the answer: "says" (text), "option" (the letter of
that option in the prompt, as "Answer: X"), "tool" ({"name", "arguments"}), "finish", "top" ({token: probability}), "status" with "code".
Faults strike the first tries of every third request. --hold N never answers from the Nth request on.
"""
import argparse
import hashlib
import http.server
import json
import math
import re
import threading
import time

LOCK = threading.Lock()


def text_of(body):
    parts = []
    for message in body.get("messages", []):
        content = message.get("content") or ""
        parts.append(content if isinstance(content, str) else json.dumps(content))
        parts += [call["function"]["name"] for call in message.get("tool_calls") or []]
    return "\n".join(parts)


def answer(rule, text):
    message, finish = {"role": "assistant", "content": rule.get("says", "I do not know.")}, rule.get("finish", "stop")
    if "option" in rule:
        found = re.search(rf"^([A-J])\) {re.escape(rule['option'])}$", text, re.MULTILINE)
        message["content"] = f"Answer: {found.group(1) if found else '?'}"
    if "tool" in rule:
        arguments = rule["tool"]["arguments"]
        message["content"], finish = None, "tool_calls"
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {
            "name": rule["tool"]["name"], "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}}]
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    if "top" in rule:
        top = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in rule["top"].items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        message["content"] = top[0]["token"]
    return {"id": "x", "object": "chat.completion", "model": "stand-in", "choices": [choice],
            "usage": {"prompt_tokens": len(text) // 4, "completion_tokens": 5, "total_tokens": len(text) // 4 + 5}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, value, headers=()):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers):
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/props":
            return self.reply(200, {"system_fingerprint": "b1-wabc-n1"})
        return self.reply(200, {"object": "list", "data": [{"id": "stand-in", "object": "model"}]})

    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body, key = json.loads(raw), hashlib.sha256(raw).hexdigest()[:16]
        with LOCK:
            server.count += 1
            tries = server.tries[key] = server.tries.get(key, 0) + 1
            if tries == 1:
                server.order[key] = len(server.order)
            held = server.hold is not None and len(server.order) > server.hold
            fault = server.faults[tries - 1] if server.order[key] % 3 == 0 and tries <= len(server.faults) else None
            self.note(key, "held" if held else fault or "answered", body)
        if held:
            time.sleep(600)
        if fault == "drop":
            self.close_connection = True
            return self.connection.close()
        if fault == "slow":
            time.sleep(server.slow)
        if fault == "junk":
            return self.reply(200, b"<html>a proxy's page</html>")
        if fault in ("429", "500", "503"):
            return self.reply(int(fault), {"error": {"message": f"fault {fault}", "type": "server_error"}}, [("Retry-After", "0")])
        text = text_of(body)
        rule = next((rule for rule in server.rules if all(part in text for part in rule["contains"])), {})
        if "status" in rule:
            return self.reply(rule["status"], {"error": {"message": "as the script says", "code": rule.get("code")}})
        return self.reply(200, answer(rule, text))

    def note(self, key, what, body):
        self.server.log.write(json.dumps({"key": key, "what": what, "text": text_of(body)[-120:], "tools": len(body.get("tools") or []), "seed": body.get("seed"),
                                          "max_tokens": body.get("max_tokens"), "temperature": body.get("temperature")}) + "\n")
        self.server.log.flush()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that are killed or lose patience are what it is here for


def serve(rules, log, port=0, faults=(), hold=None, slow=3.0):
    server = Server(("127.0.0.1", port), Handler)
    server.rules, server.log, server.faults, server.hold, server.slow = rules, open(log, "a"), list(faults), hold, slow
    server.count, server.tries, server.order = 0, {}, {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("log")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", default="")
    parser.add_argument("--hold", type=int)
    options = parser.parse_args()
    with open(options.script) as file:
        running = serve(json.load(file), options.log, options.port, [f for f in options.faults.split(",") if f], options.hold)
    print(running.server_address[1], flush=True)
    threading.Event().wait()
