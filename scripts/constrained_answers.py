#!/usr/bin/env python3
"""constrained_answers.py LIBLFM MODEL [--answers N] [--seed S] [--schemas FOLDER]

Generates answers under schemas and tool calls with liblfm (build/.../liblfm.so) at temperature 1 and 2, in rooms that are often
narrow, and judges each by others' means: Python's json, jsonschema, and ast for calls. Any model will do; one with random
weights (tests/data/models/tiny-lfm25-moe) says the wildest things. --schemas: a folder of MaskBench's files instead of the
schemas below, those of objects as a tool's arguments too. The last line has the figures; exit 0 if every answer is right, 77
without the package jsonschema."""
import argparse
import ast
import ctypes as c
import decimal
import glob
import json
import keyword
import random
import sys
import time

try:
    import jsonschema
except ImportError:
    print("the Python package jsonschema is missing")
    sys.exit(77)

TEXT = {"type": "string"}
SCHEMAS = [
    {"type": "object", "properties": {"name": TEXT, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
     "required": ["name", "age"], "additionalProperties": False},
    {"type": "object", "properties": {"kind": {"enum": ["cat", "cow", "café", 7, None]}, "tags": {
        "type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2}}, "required": ["tags"]},
    {"type": "array", "items": {"type": "number", "multipleOf": 0.25, "exclusiveMinimum": -3}, "minItems": 2, "maxItems": 5},
    {"type": "object", "minProperties": 2, "maxProperties": 3, "patternProperties": {"^x": {"type": "integer"}},
     "additionalProperties": {"type": "boolean"}},
    {"type": "string", "pattern": "^[a-z]{2,9}-[0-9]+$", "maxLength": 12},
    {"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"anyOf": [
        {"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["value", "next"], "additionalProperties": False}},
     "$ref": "#/$defs/node"},
    {"oneOf": [{"type": "object", "properties": {"a": {"const": 1}, "b": TEXT}, "required": ["a", "b"]},
               {"type": "object", "properties": {"a": {"const": 2}, "c": {"type": "array", "items": TEXT}}, "required": ["a", "c"]}]},
    {"type": "object", "properties": {"card": {"type": "integer"}, "address": TEXT}, "dependentRequired": {"card": ["address"]},
     "not": {"required": ["forbidden"]}},
    {"type": "array", "contains": {"const": 10}, "maxContains": 2, "maxItems": 4, "items": {"type": "integer", "maximum": 12}},
    {"type": "object", "properties": {"text": {"type": "string", "minLength": 3, "maxLength": 40}, "ok": {"type": "boolean"},
                                      "list": {"type": "array", "prefixItems": [TEXT, {"type": "null"}], "items": False, "minItems": 2}},
     "required": ["ok", "list", "text"], "unevaluatedProperties": False},
    {"type": "object", "if": {"properties": {"kind": {"const": "x"}}, "required": ["kind"]}, "then": {"required": ["x"]},
     "else": {"required": ["y"]}, "properties": {"kind": {"enum": ["x", "y"]}, "x": {"type": "integer"}, "y": TEXT}},
    {"type": ["object", "array", "string", "number", "boolean", "null"]},
]
PARAMETERS = [SCHEMAS[0], SCHEMAS[1], SCHEMAS[7], SCHEMAS[9],
              {"type": "object", "properties": {"note": TEXT, "who": {"type": "object", "properties": {"n": {"type": ["number", "null"]}},
                                                                      "required": ["n"]}}, "required": ["note", "who"],
               "additionalProperties": False}]
TOOLS = [{"name": f"tool_{i}.do", "parameters": p} for i, p in enumerate(PARAMETERS)]
START, END = "<|tool_call_start|>", "<|tool_call_end|>"


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 1020)]


class Sampling(c.Structure):
    _fields_ = [("size", c.c_size_t), ("temperature", c.c_float), ("top_k", c.c_int32), ("top_p", c.c_float), ("min_p", c.c_float),
                ("typical_p", c.c_float), ("repetition_penalty", c.c_float), ("presence_penalty", c.c_float),
                ("frequency_penalty", c.c_float), ("seed", c.c_uint64), ("logit_bias", c.c_void_p), ("n_logit_bias", c.c_size_t)]


class Options(c.Structure):
    _fields_ = [("size", c.c_size_t), ("max_tokens", c.c_int64), ("stops", c.c_void_p), ("n_stops", c.c_size_t),
                ("ignore_eos", c.c_int), ("show_special", c.c_int), ("want_logprobs", c.c_int), ("on_token", c.c_void_p),
                ("user", c.c_void_p), ("grammar", c.c_void_p), ("may_think", c.c_int)]


class SessionOptions(c.Structure):
    _fields_ = [("size", c.c_size_t), ("n_ctx", c.c_int64), ("n_chunk", c.c_int64), ("n_threads", c.c_int32)]


class Generation(c.Structure):
    _fields_ = [("size", c.c_size_t), ("stop_reason", c.c_int), ("ids", c.c_void_p), ("n_ids", c.c_size_t), ("text", c.c_void_p),
                ("length", c.c_size_t), ("n_prompt_read", c.c_int64), ("n_prompt_reused", c.c_int64), ("prompt_ms", c.c_double),
                ("predicted_ms", c.c_double)]


class Library:
    def __init__(self, path, model):
        self.lib, self.error = c.CDLL(path), Error()
        self.model, self.session = c.c_void_p(), c.c_void_p()
        self.call("lfm_model_load", model.encode(), None, c.byref(self.model))
        options = SessionOptions()
        self.lib.lfm_session_options_init(c.byref(options))
        options.n_threads = 1  # a small model gains nothing by more; run several of these beside each other
        self.call("lfm_session_create", self.model, c.byref(options), c.byref(self.session))

    def call(self, name, *args):
        if getattr(self.lib, name)(*args, c.byref(self.error)):
            raise RuntimeError(f"{name}: {self.error.message.decode(errors='replace')}")

    def text_of(self, name, *args):
        data, length = c.c_void_p(), c.c_size_t()
        self.call(name, *args, c.byref(data), c.byref(length))
        value = c.string_at(data, length.value)
        self.lib.lfm_free(data)
        return value.decode()

    def ids(self, text):
        ids, n = c.POINTER(c.c_int32)(), c.c_size_t()
        self.call("lfm_tokenize", self.model, text.encode(), c.c_size_t(len(text.encode())), 1, 0, c.byref(ids), c.byref(n))
        out = (c.c_int32 * n.value)(*ids[: n.value])
        self.lib.lfm_free(ids)
        return out

    def grammar(self, spec):
        """The grammar, and the bytes of the shortest answer."""
        handle, state, spec = c.c_void_p(), c.c_void_p(), json.dumps(spec).encode()
        self.call("lfm_grammar_compile", self.model, spec, c.c_size_t(len(spec)), c.byref(handle))
        self.call("lfm_grammar_state_create", handle, c.byref(state))
        shortest = len(self.text_of("lfm_grammar_completion", state, c.c_size_t(100000)).encode())
        self.lib.lfm_grammar_state_free(state)
        return handle, shortest

    def generate(self, prompt, grammar, temperature, seed, max_tokens):
        sampling, options, out = Sampling(), Options(), Generation()
        self.lib.lfm_sampling_init(c.byref(sampling), self.model)
        self.lib.lfm_generate_options_init(c.byref(options))
        self.lib.lfm_generation_init(c.byref(out))
        sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p, sampling.seed = temperature, 0, 1, 0, seed
        options.max_tokens, options.grammar = max_tokens, grammar
        self.call("lfm_generate", self.session, prompt, c.c_size_t(len(prompt)), c.byref(sampling), c.byref(options), c.byref(out))
        text = c.string_at(out.text, out.length).decode()
        self.lib.lfm_free(c.c_void_p(out.ids))
        self.lib.lfm_free(c.c_void_p(out.text))
        return text, out.n_ids

    def parse(self, text):
        request = json.dumps({"text": text, "guided": True}).encode()
        return json.loads(self.text_of("lfm_parse_answer", request, c.c_size_t(len(request))))


def no_repeats(pairs):
    assert len({k for k, _ in pairs}) == len(pairs), "a key comes twice"
    return dict(pairs)


def literal(node):
    """A call's value as Python reads it, with JSON's spellings."""
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    if isinstance(node, ast.Dict):
        return {literal(k): literal(v) for k, v in zip(node.keys, node.values)}
    if isinstance(node, ast.List):
        return [literal(item) for item in node.elts]
    return ast.literal_eval(node)


def judge(text, schema):
    """Decimal numbers: in binary ones 10.11 is no multiple of 0.01."""
    value = json.loads(text, object_pairs_hook=no_repeats, parse_constant=lambda name: 1 / 0, parse_float=decimal.Decimal)
    schema = json.loads(json.dumps(schema), parse_float=decimal.Decimal)
    jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema).validate(value)


def name_of(node):
    return f"{name_of(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else node.id


def judge_calls(library, text, spec, required):
    answer = library.parse(text)
    blocks = text.count(START)
    assert blocks == text.count(END) and (blocks > 0 or not required), "marks"
    if required:
        assert answer["calls"], "no call"
    if not spec.get("parallel", True):
        assert len(answer["calls"]) <= 1, "more than one call"
    for call in answer["calls"]:
        tool = next(t for t in spec["tools"] if t["name"] == call["name"])
        judge(json.dumps(call["arguments"]), tool["parameters"])
    if spec.get("quotes") != "double":
        return  # an apostrophe in single quotes is not Python's
    if not all(key.isidentifier() and not keyword.iskeyword(key) for call in answer["calls"] for key in call["arguments"]):
        return  # nor is any name of an argument
    theirs = []
    for block in text.split(START)[1:]:
        for call in ast.parse(block.split(END)[0], mode="eval").body.elts:
            theirs.append({"name": name_of(call.func), "arguments": {k.arg: literal(k.value) for k in call.keywords}})
    assert theirs == answer["calls"], f"ast reads {theirs}, we read {answer['calls']}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("model")
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--schemas")
    args = parser.parse_args()
    library = Library(args.library, args.model)
    schemas = SCHEMAS
    if args.schemas:
        files = sorted(glob.glob(f"{args.schemas}/**/*.json", recursive=True))
        schemas = [json.load(open(path))["schema"] for path in files]
    kinds = []
    for schema in schemas:
        for extra in ({}, {"order": "any"}, {"compact": True}):
            kinds.append(({"schema": schema, **extra}, False))
        if args.schemas and isinstance(schema, dict) and schema.get("type") == "object":
            kinds.append(({"tools": [{"name": "tool", "parameters": schema}], "tool_choice": "required"}, True))
    if not args.schemas:
        for choice in ("required", "auto", "tool_1.do"):
            for extra in ({}, {"parallel": False}, {"quotes": "double"}):
                kinds.append(({"tools": TOOLS, "tool_choice": choice, **extra}, choice != "auto"))
    compiled = []
    for spec, required in kinds:
        try:
            compiled.append((spec, required, *library.grammar(spec)))
        except RuntimeError as refused:
            assert args.schemas, refused
    draw, wrong, n_tokens, start = random.Random(args.seed), 0, 0, time.time()
    for i in range(args.answers):
        spec, required, grammar, shortest = compiled[i % len(compiled)]
        temperature, seed = draw.choice((1.0, 2.0)), draw.randrange(1 << 40)
        room = min(shortest, 250) + 1 + int(draw.expovariate(1 / 40)) if shortest <= 250 else shortest + 300
        prompt, text, n = "".join(draw.choices("abc de{[\"", k=9)), "", 0
        try:
            text, n = library.generate(library.ids(prompt), grammar, temperature, seed, room)
            n_tokens += n
            if "tools" in spec:
                judge_calls(library, text, spec, required)
            else:
                judge(text, spec["schema"])
        except Exception as problem:  # whatever the judges say
            wrong += 1
            if wrong <= 20:
                print(f"answer {i}, prompt {prompt!r}, seed {seed}, temperature {temperature}, room {room}: {type(problem).__name__} {str(problem)[:200]}\n  "
                      f"{json.dumps(spec)[:200]}\n  {text!r}", flush=True)
    print(f"{args.answers} answers of {len(compiled)} kinds, {n_tokens} tokens, {time.time() - start:.0f} s: {wrong} wrong")
    return int(wrong > 0)


sys.exit(main())
