#!/usr/bin/env python3
"""Damages files of every format that lfm reads, and holds the program to its word about them.

usage: mutate_files.py LFM DATA_DIR [--count N] [--seed N] [--only FORMAT] [--keep FOLDER] [--library LIBLFM]

Each of --count (1,000) files of a format is read by the command that reads it in earnest. Whatever stands in the file, the
program must end by itself within a minute, with a documented exit code, one line of error that no terminal obeys, and within
4 GiB of address space. The seed makes the run repeatable; a file that fails is kept in --keep. Saved states are read by the
library, which is loaded where --library names it. Standard library only.
"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

CODES = {0, 1, 2, 3, 4}
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
NUMBERS = (0, 1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
VALUES = (None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, 1e308, -1e-320, "", "x", "\x1b[31m\u202e", "a" * 5000, [], {}, [[]], {"a": {}})


def damage_bytes(data, random_, head):
    """One to four edits; two of three fall into the first `head` bytes, where the structure is."""
    data = bytearray(data)
    for _ in range(random_.randint(1, 4)):
        size = max(1, len(data))
        at = random_.randrange(min(size, head)) if random_.random() < 0.67 else random_.randrange(size)
        what = random_.randrange(7)
        if what == 0:
            data[at:at + 1] = bytes([random_.randrange(256)])
        elif what == 1:
            data[at:at + 8] = random_.choice(NUMBERS).to_bytes(8, "little")
        elif what == 2:
            data[at:at + 4] = (random_.choice(NUMBERS) % 2**32).to_bytes(4, "little")
        elif what == 3:
            del data[at:]
        elif what == 4:
            del data[at:at + random_.randint(1, 64)]
        elif what == 5:
            data[at:at] = random_.randbytes(random_.randint(1, 64))
        else:
            other = random_.randrange(size)
            data[at:at + 32] = data[other:other + 32]
    return bytes(data)


def damage_json(data, random_):
    """A value somewhere inside becomes another, goes, or comes twice; one in four is damaged as bytes."""
    if random_.random() < 0.25:
        return damage_bytes(data, random_, len(data))
    root = json.loads(data)
    for _ in range(random_.randint(1, 3)):
        node = root
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = random_.choice(keys)
            if isinstance(node[key], (dict, list)) and node[key] and random_.random() < 0.7:
                node = node[key]
                continue
            what = random_.randrange(5)
            if what == 0:
                del node[key]
            elif what == 1 and isinstance(node, list):
                node.insert(key, node[key])
            elif what == 2 and isinstance(node, dict):
                node[random_.choice(("", "x", "\x1b", key * 2 if isinstance(key, str) else "y"))] = node[key]
            elif what == 3 and isinstance(node[key], int) and not isinstance(node[key], bool):
                node[key] = random_.choice((-1, 0, node[key] + 1, node[key] * 1000, 2**31, 2**40, 2**63))
            else:
                node[key] = random_.choice(VALUES)
            break
    return json.dumps(root).encode()


def damage_lines(data, random_):
    """Of a file of JSON lines: one line is damaged as JSON; one in four as bytes."""
    if random_.random() < 0.25:
        return damage_bytes(data, random_, len(data))
    lines = data.splitlines()
    at = random_.randrange(len(lines))
    lines[at] = damage_json(lines[at], random_)
    return b"\n".join(lines)


TEMPLATE_MARKS = ("{%", "%}", "{{", "}}", "{#", "'", "[", "(", "|", "-%}", "{% for x in range(99999) %}", "{{ x * 999999 }}",
                  "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "\x00", "\u202e", "{{ messages|string * 9999 }}")
OTHER_MARKS = ('"', '""', ",", "\n", "\r", "\r\n", ";", "\t", "\\", "/", "(", "[", "{", "*", "+", "?", "|", ":", "%", "#", "'", "\x00", "\u202e", "\x1b[31m",
               "\ufeff", "(((((" * 50, "[^" * 50, "{1,99999}", "{99999}", "a" * 70000, "<|im_end|>", "\ud800".encode("utf-8", "surrogatepass").decode("latin1"))


def damage_text(data, random_, marks=TEMPLATE_MARKS):
    """Pieces are cut, moved and repeated, and marks put in; of what is no template, one in four is damaged as bytes."""
    if marks is OTHER_MARKS and random_.random() < 0.25:
        return damage_bytes(data, random_, len(data))
    text = data.decode()
    for _ in range(random_.randint(1, 4)):
        at, end = sorted(random_.randrange(len(text) + 1) for _ in range(2))
        piece = text[at:min(end, at + 200)]
        what = random_.randrange(4)
        if what == 0:
            text = text[:at] + text[at + len(piece):]
        elif what == 1:
            text = text[:at] + piece * random_.choice((2, 3, 50)) + text[at:]
        elif what == 2:
            text = text[:at] + random_.choice(marks) + text[at:]
        else:
            other = random_.randrange(len(text) + 1)
            text = text[:at] + text[other:other + len(piece)] + text[at + len(piece):]
    return text.encode()


# Sound files of the smaller formats.
SOUND_JSON = {
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                 {"role": "assistant", "content": "A", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
                 {"role": "tool", "tool_call_id": "1", "content": "2"}, {"role": "user", "content": "B"}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {
        "type": "object", "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": "array", "items": {"enum": ["x", "y"]}}}, "required": ["a"]}}}],
    "schema": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3, "multipleOf": 3}, "b": {"type": "string", "pattern": "^[a-z]{2,5}$"},
               "c": {"anyOf": [{"$ref": "#/$defs/d"}, {"const": None}]}, "e": {"type": "array", "items": {"format": "date-time"}, "minItems": 1, "maxItems": 9}},
               "required": ["a"], "additionalProperties": False, "$defs": {"d": {"type": "object", "patternProperties": {"^x": {"type": "number"}}}}},
    "labels": {"instructions": "Choose: {labels}", "labels": [{"name": "a", "description": "x", "examples": ["one"]}, "b", {"name": "c", "parent": "b"}, {"name": "d", "parent": "b"}]},
    "routes": {"threshold": 0.5, "fallback": "person", "routes": [{"name": "a", "description": "x", "utterances": ["one"], "threshold": 0.8, "tool": "t"}, {"name": "b", "url": "http://x/"}]},
    "prices": {"tiny-lfm2": {"prompt": "0.0000001", "completion": "0.0000002", "cached_prompt": "0"}},
    "added_tokens.json": {"[NEW]": 4096},
    "special_tokens_map.json": {"bos_token": "<|startoftext|>", "eos_token": {"content": "<|im_end|>"}, "additional_special_tokens": ["[A]"]},
    "generation_config.json": {"temperature": 0.3, "min_p": 0.15, "repetition_penalty": 1.05, "eos_token_id": [7, 2], "do_sample": True, "top_k": 5},
}
SOUND_JSON["check"] = SOUND_JSON["schema"]
SOUND_TEXT = {
    "document": '{"a": 3, "b": "abc", "c": null, "e": ["2020-01-01T00:00:00Z"]}',
    "lark": 'start: greeting " " NAME ("!" | "?")*\ngreeting: "Hi" | "Ho"\nNAME: /[A-Z][a-z]{1,9}/\n',
    "gbnf": 'root ::= item (", " item)* | "-"\nitem ::= [a-z]+ ws "\\x41"? [^\\]]{2,4}\nws ::= [ \\t]*\n',
    "csv": 'id,text,note\n1,"a ""b"", c",x\n2,"two\nlines",\n3,ü漢,y\n',
    "jsonl": '{"text": "one", "id": 1}\n{"text": "two ü", "id": [2]}\n',
    "chat": '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "one two"}]}\n'
            '{"messages": [{"role": "user", "content": "Ho"}, {"role": "assistant", "content": "three"}], "tools": []}\n',
    "batch": '{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}}\n'
             '{"custom_id": "2", "method": "POST", "url": "/v1/completions", "body": {"prompt": "Hi", "max_tokens": 2, "temperature": 0}}\n',
    "keys": "secret-1 label=a rpm=10 tpm=1000 budget=1.5\n# note\nsha256:" + "ab" * 32 + "\n",
    "answer": 'text <|tool_call_start|>[f(a=1, b=["x", "y"], c={"k": None}), g()]<|tool_call_end|> more <think>x</think> [1]',
}


def safetensors_head(path):
    with open(path, "rb") as file:
        return file.read(struct.unpack("<Q", file.read(8))[0])


class Bench:
    """The formats: what a sound file is, how it is damaged, and who reads it."""

    def __init__(self, lfm, data, work):
        self.lfm, self.work = lfm, work
        gguf = data / "gguf/mini-lfm2-moe-Q4_0.gguf"
        folder = data / "models/tiny-lfm2"
        self.folder = work / "folder"
        shutil.copytree(folder, self.folder, ignore=shutil.ignore_patterns("reference"))
        packed, imatrix, text, base = work / "sound.lfm", work / "sound.imatrix", work / "text", work / "sound.base"
        text.write_text("Sphinx of black quartz, judge my vow. " * 20)
        # The form of importance matrices before GGUF: names, counts, sums.
        old = struct.pack("<i", 2)
        for name in (b"blk.0.ffn_gate.weight", b"blk.1.ffn_up.weight"):
            old += struct.pack("<i", len(name)) + name + struct.pack("<ii", 4, 256) + struct.pack("<256f", *range(1, 257))
        (work / "sound.dat").write_bytes(old)
        for name, value in SOUND_JSON.items():
            (work / f"sound.{name}").write_text(json.dumps(value))
        for name, value in SOUND_TEXT.items():
            (work / f"sound.{name}").write_text(value)
        messages = work / "messages.json"
        messages.write_text('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "B"}]')
        self.sound("pack", gguf, "-o", packed)
        self.sound("imatrix", "-m", folder, "-f", text, "-c", 16, "-o", imatrix)
        self.sound("perplexity", "-m", folder, "-f", text, "-c", 16, "--save-base", base)
        labelled, calibration = work / "sound.labelled", work / "sound.calibration"
        labelled.write_text("text,label\n" + "".join(f"row {i},{'ab'[i % 2]}\n" for i in range(40)))
        self.sound("classify", "fit", "-m", folder, "--labels", "a,b", "--labelled", labelled, "-o", calibration, "--format", "csv")
        sharded = work / "sharded"
        shutil.copytree(self.folder, sharded)
        (sharded / "model.safetensors").rename(sharded / "model-00001-of-00001.safetensors")
        names = json.loads(safetensors_head(folder / "model.safetensors"))
        index = {"metadata": {}, "weight_map": {n: "model-00001-of-00001.safetensors" for n in names if n != "__metadata__"}}
        (work / "sound.index").write_text(json.dumps(index))
        for name in ("generation_config.json", "special_tokens_map.json", "added_tokens.json"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, work / f"sound.{name}")
        run = ("-p", "Hi", "-n", "2", "--temp", "0", "-t", "1", "-c", "64")
        place = self.folder
        self.formats = {
            "gguf": (gguf, work / "m.gguf", lambda d, r: damage_bytes(d, r, 200_000), ("run", "-m", work / "m.gguf", *run)),
            "packed": (packed, work / "m.lfm", lambda d, r: damage_bytes(d, r, 200_000), ("run", "-m", work / "m.lfm", *run)),
            "safetensors": (folder / "model.safetensors", place / "model.safetensors", lambda d, r: damage_bytes(d, r, 8_000),
                            ("run", "-m", place, *run)),
            "config.json": (folder / "config.json", place / "config.json", damage_json, ("run", "-m", place, *run)),
            "tokenizer.json": (folder / "tokenizer.json", place / "tokenizer.json", damage_json,
                               ("tokenize", "-m", place, "Hello <|im_start|> wörld 123")),
            "tokenizer_config.json": (folder / "tokenizer_config.json", place / "tokenizer_config.json", damage_json,
                                      ("render", "-m", place, "--messages", messages, "--ids")),
            "imatrix": (imatrix, work / "m.imatrix", lambda d, r: damage_bytes(d, r, 4_000),
                        ("quantize", folder, "/dev/null", "--type", "q2_k", "--imatrix", work / "m.imatrix", "-t", "1")),
            "template": (folder / "chat_template.jinja", work / "t.jinja", damage_text,
                         ("render", "-m", folder, "--messages", messages, "--template", work / "t.jinja")),
            "imatrix.dat": (work / "sound.dat", work / "m.dat", lambda d, r: damage_bytes(d, r, 400),
                            ("quantize", folder, "/dev/null", "--type", "q2_k", "--imatrix", work / "m.dat", "-t", "1")),
            "base": (base, work / "m.base", lambda d, r: damage_bytes(d, r, 100),
                     ("perplexity", "-m", folder, "-f", text, "-c", "16", "--base", work / "m.base", "-t", "1")),
            "index.json": (work / "sound.index", sharded / "model.safetensors.index.json", damage_json, ("run", "-m", sharded, *run)),
        }
        rows, other = work / "rows.txt", lambda d, r: damage_text(d, r, OTHER_MARKS)
        rows.write_text("one\ntwo\n")
        classify = ("classify", "-m", folder, "-t", "1", "-c", "512", "-o", "/dev/stdout")
        serve = ("serve", "-m", work / "none", "--port", "0", "--ledger", "none")
        for name, damage, command in (
                ("generation_config.json", damage_json, ("run", "-m", place, "-p", "Hi", "-n", "2", "-t", "1", "-c", "64")),
                ("special_tokens_map.json", damage_json, ("tokenize", "-m", place, "Hello <|im_start|> wörld 123")),
                ("added_tokens.json", damage_json, ("tokenize", "-m", place, "Hello [NEW] wörld 123")),
                ("messages", damage_json, ("render", "-m", folder, "--messages", work / "m.messages", "--ids")),
                ("tools", damage_json, ("run", "-m", folder, "--tools", work / "m.tools", "--tool-choice", "required", *run)),
                ("schema", damage_json, ("run", "-m", folder, "--schema", work / "m.schema", *run)),
                ("check", damage_json, ("grammar", "check", "--schema", work / "m.check", "--json", work / "sound.document")),
                ("document", other, ("grammar", "check", "--schema", work / "sound.schema", "--json", work / "m.document")),
                ("lark", other, ("run", "-m", folder, "--grammar", work / "m.lark", *run)),
                ("gbnf", other, ("run", "-m", folder, "--grammar", work / "m.gbnf", *run)),
                ("labels", damage_json, (*classify, "--labels", work / "m.labels", rows)),
                ("csv", other, (*classify, "--labels", "a,b", "--format", "csv", "--text-column", "text", work / "m.csv")),
                ("jsonl", damage_lines, (*classify, "--labels", "a,b", "--format", "jsonl", work / "m.jsonl")),
                ("labelled", other, ("classify", "eval", "-m", folder, "--labels", "a,b", "--format", "csv", "--labelled", work / "m.labelled", "-t", "1", "-c", "512")),
                ("calibration", damage_json, (*classify, "--labels", "a,b", "--calibration", work / "m.calibration", rows)),
                ("routes", damage_json, ("route", "-m", folder, "--routes", work / "m.routes", "-t", "1", "-c", "512", "Hi")),
                ("chat", damage_lines, ("perplexity", "-m", folder, "--chat", work / "m.chat", "-t", "1", "-c", "512")),
                ("batch", damage_lines, ("batch", "-m", folder, "--any-model", work / "m.batch", "/dev/stdout", "-t", "1", "-c", "64")),
                ("prices", damage_json, ("batch", "-m", folder, "--any-model", "--prices", work / "m.prices", work / "sound.batch", "/dev/stdout", "-t", "1", "-c", "64")),
                ("keys", other, (*serve, "--api-key-file", work / "m.keys")),
                ("answer", other, ("parse", "-m", folder, "--tools", work / "sound.tools", "@m.answer"))):
            target = place / name if (folder / name).exists() or name == "added_tokens.json" else work / f"m.{name}"
            if (work / f"sound.{name}").exists():
                self.formats[name] = (work / f"sound.{name}", target, damage, command)

    def sound(self, *args):
        subprocess.run([self.lfm, *map(str, args)], check=True, capture_output=True)

    def read(self, command):
        """None, or what the program did that it must not do."""
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # "@FILE" at the end: what the command reads from standard input.
        source = self.work / command[-1][1:] if str(command[-1]).startswith("@") else os.devnull
        command = command[:-1] if source != os.devnull else command
        try:
            with open(source, "rb") as stdin:
                done = subprocess.run([self.lfm, *map(str, command)], stdin=stdin, capture_output=True, timeout=60, preexec_fn=limit)
        except subprocess.TimeoutExpired:
            return "does not end"
        message = done.stderr.decode(errors="replace")
        if done.returncode not in CODES:
            return f"exit code {done.returncode}: {message[-300:]}"
        if FORBIDDEN.search(message):
            return f"a raw control character: {message!r}"
        told = message.startswith(("refused: ", "not accepted: ")) and message.count("\n") == 1  # what lfm grammar check is for
        if done.returncode != 0 and not told and (message.count("lfm: error: ") != 1 or not message.endswith("\n")):
            return f"no single line of error: {message!r}"
        return None


def damaged_states(library, model, random_, count):
    """Faults of restoring saved states that were damaged. A crash ends this process: run it for itself."""
    lib = ctypes.CDLL(str(library))
    for name in ("lfm_model_free", "lfm_session_free", "lfm_free"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    model_, session, state, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
    assert lib.lfm_model_load(str(model).encode(), None, ctypes.byref(model_), None) == 0
    assert lib.lfm_session_create(model_, None, ctypes.byref(session), None) == 0
    ids = (ctypes.c_int32 * 70)(*range(300, 370))
    assert lib.lfm_session_prefill(session, ids, ctypes.c_size_t(70), None) == 0
    assert lib.lfm_session_save(session, ctypes.byref(state), ctypes.byref(size), None) == 0
    sound = ctypes.string_at(state, size.value)
    faults = []
    for i in range(count):
        data = damage_bytes(sound, random_, 400)
        status = lib.lfm_session_restore(session, data, ctypes.c_size_t(len(data)), None)
        if status == 0 and data != sound:
            faults.append(f"state {i}: a damaged one is taken")
        if lib.lfm_session_prefill(session, ids, ctypes.c_size_t(1), None) != 0:
            faults.append(f"state {i}: the session is of no use any more")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lfm", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--library", type=pathlib.Path)
    args = parser.parse_args()
    n_faults = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(str(args.lfm.resolve()), args.data.resolve(), pathlib.Path(folder))
        for name, (sound, place, damage, command) in bench.formats.items():
            if args.only and args.only != name:
                continue
            data, random_ = sound.read_bytes(), random.Random(f"{args.seed} {name}")
            n_read = 0
            for i in range(args.count):
                place.unlink(missing_ok=True)
                place.write_bytes(damage(data, random_))
                fault = bench.read(command)
                n_read += fault is None
                if not fault:
                    continue
                n_faults += 1
                print(f"{name} {i}: {fault}", flush=True)
                if args.keep:
                    args.keep.mkdir(exist_ok=True)
                    shutil.copyfile(place, args.keep / f"{name}.{args.seed}.{i}")
            place.write_bytes(data)
            print(f"{name}: {n_read} of {args.count} as promised", flush=True)
        if args.library and args.only in (None, "state"):
            faults = damaged_states(args.library.resolve(), args.data.resolve() / "gguf/mini-lfm2-moe-Q4_0.gguf",
                                    random.Random(f"{args.seed} state"), args.count)
            print("\n".join(faults[:20] + [f"state: {args.count - len(faults)} of {args.count} as promised"]))
            n_faults += len(faults)
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
