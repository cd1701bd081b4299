#!/usr/bin/env python3
"""The APIs from outside: api_test.py LFM MODEL. Starts `lfm serve` on a free port and asks it as clients do."""
import concurrent.futures
import http.client
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

LFM, MODEL = sys.argv[1:3]
ASK = [{"role": "user", "content": "Hello, who are you?"}]
TABLE = [{"role": "system", "content": "Answer with function calls where possible."},
         {"role": "user", "content": "Dinner for 7 at Poudeng Grill, 08:35 please. Many thanks."}]
TOOLS = [{"type": "function", "function": {"name": "book_table", "description": "Reserve a restaurant table", "parameters": {
    "type": "object", "required": ["restaurant", "guests"], "properties": {
        "restaurant": {"type": "string", "maxLength": 24}, "guests": {"type": "integer", "minimum": 0, "maximum": 99},
        "time": {"type": "string", "maxLength": 24}}}}}]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def events(self):
        """[(event, data)] of a stream."""
        out = []
        for block in self.body.decode().split("\n\n"):
            lines = block.split("\n")
            name = next((x[7:] for x in lines if x.startswith("event: ")), "")
            data = [x[6:] for x in lines if x.startswith("data: ")]
            if data:
                out.append((name, data[0]))
        return out

    def chunks(self):
        return [json.loads(d) for _, d in self.events() if d != "[DONE]"]


class Api(unittest.TestCase):
    @classmethod
    def start(cls, *flags):
        """A server and its port. Its log goes to a file: nobody reads a pipe while it is asked."""
        log = pathlib.Path(tempfile.mkstemp(dir=cls.folder.name)[1])
        with open(log, "wb") as out:
            server = subprocess.Popen([LFM, "serve", "-m", MODEL, "--port", "0", "--ledger", f"{log}.db", *flags], stdin=subprocess.DEVNULL,
                                      stdout=out, stderr=subprocess.STDOUT)
        while server.poll() is None:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)\s", log.read_text()):
                return server, int(found[1])
            time.sleep(0.02)
        raise AssertionError(f"the server did not say where it listens: {log.read_text()}")

    @staticmethod
    def end(server):
        server.terminate()
        assert server.wait(120) == 0, "exit code"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server, cls.port = cls.start("--alias", "me/demo")
        while cls.ask("GET", "/health").status != 200:
            time.sleep(0.02)
        cls.model = cls.ask("GET", "/v1/models").json()["data"][0]["id"]

    @classmethod
    def tearDownClass(cls):
        cls.end(cls.server)

    @classmethod
    def ask(cls, method, path, body=None, raw=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", cls.port, timeout=60)
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        connection.request(method, path, data, headers or ({"Content-Type": "application/json"} if data is not None else {}))
        response = connection.getresponse()
        reply = Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        connection.close()
        return reply

    def chat(self, messages=ASK, **more):
        body = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": 16, "repetition_penalty": 1, **more}
        return self.ask("POST", "/v1/chat/completions", {k: v for k, v in body.items() if v is not ...})

    def text(self, *args, **more):
        reply = self.chat(*args, **more)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()["choices"][0]["message"]["content"]

    def refused(self, reply, status, param=None, code=None):
        self.assertEqual(reply.status, status, reply.body)
        error = reply.json()["error"]
        self.assertEqual(set(error) >= {"message", "type", "param", "code"}, True)
        if param:
            self.assertEqual(error["param"], param)
        if code:
            self.assertEqual(error["code"], code)
        self.assertTrue(reply.headers["x-request-id"])

    def test_the_fingerprint_tells_what_computes(self):
        mine = self.ask("GET", "/props").json()["system_fingerprint"]
        self.assertRegex(mine, r"^b[\d.]+-w[0-9a-f]{16}-n\d+-i16$")
        server, port = self.start("--compute", "f32", "--kv-type", "q8_0")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/props") as reply:
                self.assertEqual(json.load(reply)["system_fingerprint"], mine.replace("-i16", "-f32-q8_0"))
        finally:
            self.end(server)

    def test_stream_is_the_plain_answer(self):
        kw = dict(temperature=1, seed=7, n=3, max_tokens=12, ignore_eos=True, logprobs=True, top_logprobs=2)
        plain = self.chat(**kw).json()
        stream = self.chat(stream=True, stream_options={"include_usage": True}, **kw)
        chunks = stream.chunks()
        self.assertTrue(stream.body.endswith(b"data: [DONE]\n\n"))
        for choice in plain["choices"]:
            mine = [c for x in chunks for c in x["choices"] if c["index"] == choice["index"]]
            self.assertEqual("".join(c["delta"].get("content") or "" for c in mine), choice["message"]["content"])
            self.assertEqual([y for c in mine if c["logprobs"] for y in c["logprobs"]["content"]], choice["logprobs"]["content"])
            self.assertEqual([c["finish_reason"] for c in mine][-1], "length")
            self.assertEqual(["role" in c["delta"] for c in mine], [True] + [False] * (len(mine) - 1))
        self.assertEqual(chunks[-1]["choices"], [])
        for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
            self.assertEqual(chunks[-1]["usage"][key], plain["usage"][key])
        self.assertTrue(all(x["usage"] is None for x in chunks[:-1]))
        one = self.chat(**{**kw, "n": 1}).json()["choices"][0]
        self.assertEqual(one["message"], plain["choices"][0]["message"])

    def test_same_bytes_beside_others(self):
        kw = dict(temperature=1, seed=3, max_tokens=24, ignore_eos=True, logprobs=True)
        alone = self.chat(**kw).json()["choices"]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            others = [pool.submit(self.chat, [{"role": "user", "content": f"Number {i}"}], max_tokens=24, ignore_eos=True) for i in range(8)]
            beside = [pool.submit(self.chat, **kw) for _ in range(4)]
            for one in beside:
                self.assertEqual(one.result().json()["choices"], alone)
            for one in others:
                self.assertEqual(one.result().status, 200)
        self.assertEqual(self.chat(cache_prompt=False, **kw).json()["choices"], alone)

    def test_refusals(self):
        self.refused(self.chat(model="nope"), 404, "model", "model_not_found")
        self.refused(self.chat(model=...), 400, "model")
        self.refused(self.chat(ASK + [{"role": "user", "content": 5}]), 400, "messages[1].content")
        self.refused(self.chat(temperature=5), 400, "temperature")
        self.refused(self.chat([{"role": "user", "content": "one two three " * 5000}], stream=True), 400, "messages", "context_length_exceeded")
        for raw in (b"", b"{", b"[]", b'{"a": NaN}', b"\xff"):
            self.refused(self.ask("POST", "/v1/chat/completions", raw=raw), 400)
        self.refused(self.ask("GET", "/v1/nope"), 404)
        self.refused(self.ask("POST", "/v1/embeddings", {"model": self.model, "input": "x"}), 400)
        wrong = self.ask("POST", "/v1/messages", {"model": self.model, "messages": ASK})
        self.assertEqual((wrong.status, wrong.json()["type"], wrong.json()["error"]["type"]), (400, "error", "invalid_request_error"))

    def test_max_tokens_beyond_the_context_is_taken(self):
        usage = self.chat(max_tokens=10 ** 9).json()["usage"]
        self.assertLess(usage["total_tokens"], 5000)

    def test_completions(self):
        def complete(prompt, **more):
            body = {"model": self.model, "prompt": prompt, "temperature": 0, "max_tokens": 8, "ignore_eos": True, **more}
            reply = self.ask("POST", "/v1/completions", body)
            self.assertEqual(reply.status, 200, reply.body)
            return reply.json()
        text = "Hello, who are you? I am"
        plain = complete(text, logprobs=1)["choices"][0]
        echo = complete(text + plain["text"], logprobs=1, echo=True, max_tokens=0)["choices"][0]
        self.assertEqual(echo["text"], text + plain["text"])
        self.assertEqual("".join(echo["logprobs"]["tokens"]), echo["text"])
        self.assertIsNone(echo["logprobs"]["token_logprobs"][0])
        if echo["logprobs"]["tokens"][-8:] == plain["logprobs"]["tokens"]:
            self.assertEqual(echo["logprobs"]["token_logprobs"][-8:], plain["logprobs"]["token_logprobs"])
        ids = self.ask("POST", "/tokenize", {"content": text}).json()["tokens"]
        self.assertEqual(complete(ids)["usage"]["prompt_tokens"], len(ids))
        many = complete([text, "The river"], n=2)
        self.assertEqual([c["index"] for c in many["choices"]], [0, 1, 2, 3])
        self.assertEqual(many["choices"][0]["text"], plain["text"])

    def test_responses(self):
        first = self.ask("POST", "/v1/responses", {"model": self.model, "input": ASK, "instructions": "Be kind.", "temperature": 0,
                                                   "repetition_penalty": 1, "max_output_tokens": 24}).json()
        same = self.text([{"role": "system", "content": "Be kind."}] + ASK, max_tokens=24)
        self.assertEqual(first["output"][0]["content"][0]["text"], same)
        stored = self.ask("GET", "/v1/responses/" + first["id"]).json()
        self.assertEqual(stored, first)
        stream = self.ask("POST", "/v1/responses", {"model": self.model, "input": "And now?", "previous_response_id": first["id"],
                                                    "temperature": 0, "stream": True, "max_output_tokens": 24})
        events = [(name, json.loads(data)) for name, data in stream.events()]
        self.assertEqual([d["sequence_number"] for _, d in events], list(range(len(events))))
        self.assertTrue(all(name == d["type"] for name, d in events))
        self.assertEqual(events[-1][1]["response"]["previous_response_id"], first["id"])
        self.assertEqual(self.ask("DELETE", "/v1/responses/" + first["id"]).status, 200)
        self.refused(self.ask("GET", "/v1/responses/" + first["id"]), 404)
        self.refused(self.ask("POST", "/v1/responses", {"model": self.model, "input": "x", "previous_response_id": "resp_x"}), 400,
                     "previous_response_id", "previous_response_not_found")

    def test_messages(self):
        body = {"model": self.model, "max_tokens": 24, "system": "Be kind.", "messages": ASK, "temperature": 0, "repetition_penalty": 1}
        plain = self.ask("POST", "/v1/messages", body).json()
        self.assertEqual(plain["content"][0]["text"], self.text([{"role": "system", "content": "Be kind."}] + ASK, max_tokens=24))
        count = self.ask("POST", "/v1/messages/count_tokens", {k: body[k] for k in ("model", "system", "messages")}).json()
        usage = plain["usage"]
        self.assertEqual(count["input_tokens"], usage["input_tokens"] + usage["cache_read_input_tokens"])
        stream = self.ask("POST", "/v1/messages", {**body, "stream": True})
        deltas = [json.loads(d)["delta"]["text"] for n, d in stream.events() if n == "content_block_delta"]
        self.assertEqual("".join(deltas), plain["content"][0]["text"])

    def test_calls(self):
        message = self.chat(TABLE, tools=TOOLS, max_tokens=96).json()["choices"][0]
        self.assertEqual(message["finish_reason"], "tool_calls", message)
        call = message["message"]["tool_calls"][0]
        self.assertEqual(call["function"]["name"], "book_table")
        self.assertEqual(json.loads(call["function"]["arguments"])["guests"], 7)
        none = self.chat(TABLE, tools=TOOLS, tool_choice="none", max_tokens=32).json()["choices"][0]
        self.assertNotIn("tool_calls", none["message"])
        self.assertNotIn("<|tool_call", none["message"]["content"])
        turn = self.chat(TABLE + [message["message"], {"role": "tool", "tool_call_id": call["id"], "content": "done"}], tools=TOOLS)
        self.assertEqual(turn.status, 200, turn.body)

    def test_classify(self):
        texts = ["I want my money back.", "A room for two nights, please.", "<|im_end|>", ""]
        labels = [{"name": "refund", "description": "refunds, " * 40}, "hotel", "hotel booking", "book"]
        body = {"model": self.model, "input": texts, "labels": labels}
        together = self.ask("POST", "/v1/classify", body)
        self.assertEqual(together.status, 200, together.body)
        answer = together.json()
        self.assertEqual([d["index"] for d in answer["data"]], [0, 1, 2, 3])
        for row in answer["data"]:
            self.assertAlmostEqual(sum(p["probability"] for p in row["probabilities"]), 1, delta=1e-9)
            self.assertEqual((row["label"], row["confidence"]), (row["probabilities"][0]["label"], row["probabilities"][0]["probability"]))
            self.assertTrue(0 < row["label_mass"] <= 1)
        self.assertEqual(answer["data"][0]["label"], "refund")
        # One by one, by the set's name, with others beside: the same bits; and what was read before is not read again.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ones = list(pool.map(lambda text: self.ask("POST", "/v1/classify", {"input": text, "label_set": answer["label_set"]}).json(), texts))
        for i, one in enumerate(ones):
            self.assertEqual(one["data"][0], {**answer["data"][i], "index": 0})
        again = self.ask("POST", "/v1/classify", body).json()
        self.assertEqual(again["data"], answer["data"])
        self.assertGreaterEqual(again["usage"]["prompt_tokens_details"]["cached_tokens"], 64)
        top = self.ask("POST", "/v1/classify", {**body, "top_k": 1, "method": "full"}).json()
        self.assertEqual([len(d["probabilities"]) for d in top["data"]], [1] * 4)
        # The first labels alone: the same bits, though less is read for them.
        for k in (1, 2, 4):
            first = self.ask("POST", "/v1/classify", {**body, "top_k": k}).json()["data"]
            self.assertEqual(first, [{**d, "probabilities": d["probabilities"][:k]} for d in answer["data"]])
        self.refused(self.ask("POST", "/v1/classify", {"input": "a"}), 400, param="labels")
        self.refused(self.ask("POST", "/v1/classify", {"input": "a", "labels": ["a", "a"]}), 400, param="labels")
        self.refused(self.ask("POST", "/v1/classify", {"input": "a", "label_set": "ls_0"}), 404, code="not_found")
        self.refused(self.ask("POST", "/v1/classify", {"input": ["a", "word " * 9000], "labels": ["a"]}), 400, param="input[1]",
                     code="context_length_exceeded")
        for labels in ([f"label number {i}" for i in range(5000)], [{"name": str(i), "description": "x" * 4096} for i in range(200)]):
            self.refused(self.ask("POST", "/v1/classify", {"input": "a", "labels": labels}), 400, param="labels", code="context_length_exceeded")
        self.refused(self.ask("POST", "/v1/classify", {"input": ["a", "b\0c"], "labels": ["a"]}), 400, param="input[1]")
        self.refused(self.ask("POST", "/v1/classify", {"input": "a", "labels": ["a"], "top_k": 0}), 400, param="top_k")
        self.assertIn("/v1/classify", self.ask("GET", "/openapi.json").json()["paths"])

    def test_classify_as_the_command_does(self):
        texts = ["money back please", "I want a refund", "a room in Porto", "two nights in a hotel", "a double room", "refund my order"] * 3
        with tempfile.TemporaryDirectory() as folder:
            rows, calibration = f"{folder}/rows.csv", f"{folder}/cal.json"
            with open(rows, "w", encoding="utf-8") as file:
                file.write("text,label\n" + "".join(f"{t},{'refund' if 'money' in t or 'refund' in t else 'hotel'}\n" for t in texts))
            flags = ["-m", MODEL, "--labels", "refund,hotel,book", "--text-column", "text"]
            subprocess.run([LFM, "classify", "fit", *flags, "--labelled", rows, "-o", calibration], check=True, capture_output=True)
            fitted = json.loads(pathlib.Path(calibration).read_text(encoding="utf-8"))
            for extra, more in (([], {}), (["--calibration", calibration], {"calibration": fitted})):
                out = subprocess.run([LFM, "classify", *flags, rows, "--probabilities", "--output-format", "jsonl", *extra], check=True, capture_output=True)
                said = [json.loads(line) for line in out.stdout.splitlines()]
                body = {"input": texts, "labels": ["refund", "hotel", "book"], **more}
                data = self.ask("POST", "/v1/classify", body).json()["data"]
                for one, two in zip(said, data, strict=True):
                    self.assertEqual(one["probabilities"], {p["label"]: p["probability"] for p in two["probabilities"]})
                    self.assertEqual([one[k] for k in ("label", "confidence", "margin", "label_mass")],
                                     [two[k] for k in ("label", "confidence", "margin", "label_mass")])
        self.refused(self.ask("POST", "/v1/classify", {**body, "labels": ["refund", "hotel", "bank"]}), 400, param="calibration")
        self.refused(self.ask("POST", "/v1/classify", {**body, "method": "full"}), 400, param="calibration")

    def test_openapi_knows_what_is_refused(self):
        """The document's schemas, read by `lfm grammar check`, say of each body what the server says."""
        paths = self.ask("GET", "/openapi.json").json()["paths"]
        chat = {"model": self.model, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        text = {"model": self.model, "prompt": "x", "max_tokens": 1}
        claude = {**chat, "tools": [{"name": "f", "input_schema": {"type": "object"}}]}
        tools = {"tools": [{"type": "function", "function": {"name": "f"}}]}
        n = self.ask("GET", "/tokenizer_info").json()["vocab_size"]
        cases = {
            "/v1/chat/completions": [
                (chat, True), ({**chat, "stream_options": {}}, False), ({**chat, "stream_options": {}, "stream": True}, True),
                ({**chat, "top_logprobs": 1}, False), ({**chat, "top_logprobs": 1, "logprobs": True}, True),
                ({**chat, "tool_choice": "required"}, False), ({**chat, "tool_choice": "required", "tools": []}, False),
                ({**chat, "tool_choice": "auto"}, True), ({**chat, **tools, "tool_choice": "required"}, True),
                ({**chat, "tool_choice": {"type": "function", "function": {"name": "f"}}}, False),
                ({**chat, "messages": [{"role": "assistant"}]}, False), ({**chat, "messages": [*chat["messages"], {"role": "assistant", "reasoning": "r"}]}, True),
                ({**chat, "continue_final_message": True, "add_generation_prompt": True}, False),
                ({**chat, "logit_bias": {str(n - 1): 1, "0": 1, "10": 1}}, True), ({**chat, "logit_bias": {str(n): 1}}, False),
                ({**chat, "logit_bias": {str(10 * n): 1}}, False), ({**chat, "logit_bias": {"x": 1}}, False)],
            "/v1/completions": [
                (text, True), ({**text, "stream_options": {}}, False), ({**text, "prompt": [n - 1]}, True), ({**text, "prompt": [n]}, False)],
            "/v1/responses": [
                ({"model": self.model, "input": "x", "max_output_tokens": 1, "tool_choice": "required"}, False),
                ({"model": self.model, "input": "x", "max_output_tokens": 1, "stream_options": {}}, False)],
            "/v1/messages": [
                (claude, True), ({**claude, "tool_choice": {"type": "any"}}, True), ({**claude, "tools": [], "tool_choice": {"type": "any"}}, False),
                ({**claude, "tools": [], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, True)],
            "/v1/classify": [
                ({"input": "x", "labels": ["a"]}, True), ({"input": "x"}, False), ({"input": "x", "labels": ["a"], "label_set": "ls_0"}, False)],
            "/tokenize": [({"content": "x"}, True), ({"text": "x"}, True), ({"text": None}, False)],
            "/detokenize": [({"tokens": [n - 1]}, True), ({"tokens": [n]}, False)],
            "/apply-template": [({**tools, "messages": chat["messages"]}, True), ({"tools": [{}], "messages": chat["messages"]}, False)],
        }
        for path, bodies in cases.items():
            schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
            line = json.dumps({"schema": schema, "documents": [json.dumps(body) for body, _ in bodies]})
            out = subprocess.run([LFM, "grammar", "check", "--jsonl"], input=line.encode(), check=True, capture_output=True)
            self.assertEqual(json.loads(out.stdout), {"accepted": [good for _, good in bodies]}, path)
            for body, good in bodies:
                self.assertEqual(self.ask("POST", path, body).status, 200 if good else 400, (path, body))

    def test_score(self):
        tokens = [self.ask("POST", "/tokenize", {"content": word}).json()["tokens"][0] for word in ("yes", "no", "refund")]
        body = {"model": self.model, "query": "Is this a fruit? ", "items": ["apple", "chair"], "label_token_ids": tokens}
        plain, shares = (self.ask("POST", "/v1/score", {**body, "apply_softmax": s}).json() for s in (False, True))
        self.assertEqual(plain["object"], "scoring")
        for p, q in zip(plain["scores"], shares["scores"]):
            self.assertAlmostEqual(sum(q), 1, delta=1e-9)
            for a, b in zip(p, q):
                self.assertAlmostEqual(a / sum(p), b, delta=1e-9)
        ids = [self.ask("POST", "/tokenize", {"content": "Is this a fruit? " + item, "add_special": True}).json()["tokens"] for item in body["items"]]
        given = self.ask("POST", "/generative_scoring", {**body, "query": ids[0][:2], "items": [ids[0][2:]], "apply_softmax": True}).json()
        self.assertEqual(given["scores"][0], shares["scores"][0])
        self.assertEqual(given["data"][0]["score"], shares["scores"][0][0])
        self.refused(self.ask("POST", "/v1/score", {**body, "label_token_ids": [1 << 30]}), 400, param="label_token_ids")
        self.refused(self.ask("POST", "/v1/score", {"query": "a", "items": ["b"]}), 400, param="label_token_ids")

    def test_special_tokens_in_messages_are_text(self):
        prompt = self.ask("POST", "/apply-template", {"messages": [{"role": "user", "content": "<|im_end|>"}]}).json()
        ids = self.ask("POST", "/tokenize", {"content": prompt["prompt"]}).json()["tokens"]
        self.assertGreater(prompt["count"], len(ids))

    def test_lookups(self):
        self.assertEqual(self.ask("GET", "/v1/models/me/demo").json()["id"], "me/demo")
        self.refused(self.ask("GET", "/v1/models/nope"), 404, code="model_not_found")
        self.assertIn("eos_token", self.ask("GET", "/tokenizer_info").json())
        self.assertEqual(self.ask("GET", "/openapi.json").json()["openapi"], "3.1.0")
        self.assertEqual(self.ask("GET", "/v1/models?schema=openrouter").json()["data"][0]["schema_version"], "2.4")
        self.assertGreater(self.ask("GET", "/props").json()["default_generation_settings"]["n_ctx"], 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
