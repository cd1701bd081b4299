#!/usr/bin/env python3
"""Damages files of every format that lfm reads, and holds the program to its word about them.

usage: mutate_files.py LFM DATA_DIR [--count N] [--first N] [--seed N] [--only FORMAT,...] [--list] [--keep FOLDER] [--seconds N]
                       [--sanitized] [--library LIBLFM]

Each of --count (1,000) files of a format is read by the command that reads it in earnest. Whatever stands in the file, the
program must end by itself within a minute, with a documented exit code, one line of error that names the file and that no
terminal obeys, and within 4 GiB of address space. The seed makes the run repeatable: file i of a format is always the same. A file
that fails is kept in --keep. --seconds ends a format early, --first goes on with file N. --sanitized: the program was built with AddressSanitizer, which reserves
more than any limit of address space. Saved states are read by the library, which is loaded where --library names it.
Standard library only.
"""
import argparse
import contextlib
import copy
import ctypes
import json
import os
import pathlib
import random
import re
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

CODES = {0, 1, 2, 3, 4}
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
NUMBERS = (0, 1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
VALUES = (None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, 1e308, -1e-320, "", "x", "\x1b[31m\u202e", "a" * 5000, [], {}, [[]], {"a": {}})
# What json.dumps does not write: put in the place of a text.
RAW_VALUES = (b"NaN", b"-Infinity", b"1e999", b"-0.0", b"1" * 400, b"0." + b"1" * 400, b"1e-99999", b"[" * 40 + b"]" * 40, b"[" * 5000 + b"]" * 5000,
              b'{"a":' * 120000 + b"1" + b"}" * 120000, b"[" * 400000, b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u0000"', b'"a\x00b"',
              b'"\xc0\x80"', b"'x'", b"tru", b"{,}", b"/* */ 1", b'{"a": 1, "a": 2, "": 3}', b"01", b"+1", b".5", b'"\n"')
PLACE = "a place for what json does not write"


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
    root, raw, doubled = json.loads(data), random_.random() < 0.25, None
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
            what = random_.randrange(6)
            if raw:
                node[key] = PLACE
            elif what == 5 and isinstance(node, dict):
                doubled = json.dumps(key)
            elif what == 0:
                del node[key]
            elif what == 1 and isinstance(node, list):
                node.insert(key, node[key])
            elif what == 2 and isinstance(node, dict):
                node[random_.choice(("", "x", "\x1b", key * 2 if isinstance(key, str) else "y"))] = node[key]
            elif what == 3 and isinstance(node[key], int) and not isinstance(node[key], bool):
                node[key] = random_.choice((-1, 0, node[key] + 1, node[key] * 1000, 2**31, 2**40, 2**63))
            else:
                node[key] = copy.deepcopy(random_.choice(VALUES))
            break
    text = json.dumps(root).encode()
    place = json.dumps(PLACE).encode()
    while place in text:
        text = text.replace(place, random_.choice(RAW_VALUES), 1)
    if doubled:  # the same member twice, first as something else
        text = text.replace(f"{doubled}:".encode(), f"{doubled}: {json.dumps(random_.choice(VALUES))}, {doubled}:".encode(), 1)
    return text


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
    "templates": {"bos_token": "<|startoftext|>", "chat_template": [
        {"name": "default", "template": "{{bos_token}}{% for m in messages %}<{{m.content}}>{% endfor %}"},
        {"name": "tool_use", "template": "{% if tools %}{{tools|tojson}}{% endif %}{{messages[0].content}}"}]},
    "schemas": {"schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                "tests": [{"data": {"a": 1}, "valid": True}, {"data": {"a": "x"}, "valid": False}], "documents": ["{\"a\": 2}"]},
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
    "ids": "1, 2 3\n4",
    "text": "Sphinx of black quartz, judge my vow. " * 6,
    "tokenize lines": '{"text": "one ü <|im_end|>"}\n{"text": "", "add_special": false}\n',
    "detokenize lines": '{"ids": [1, 300, 7]}\n{"ids": []}\n',
    "render lines": '{"messages": [{"role": "user", "content": "Hi"}], "tools": [], "add_generation_prompt": true, "x": 1}\n',
    "parse lines": '{"text": "<think>a</think>[f(a=1)]", "tools": ["f"], "reasoning_open": false, "format": "pythonic"}\n{"text": ""}\n',
    "grammar lines": '{"schema": {"type": "array", "items": {"type": "integer"}}, "documents": ["[1, 2]", "x"]}\n{"regex": "[a-z]{2}", "documents": ["ab"]}\n',
    "answer": 'text <|tool_call_start|>[f(a=1, b=["x", "y"], c={"k": None}), g()]<|tool_call_end|> more <think>x</think> [1]',
}


def split_gguf(data):
    """A GGUF file of version 3 as the two parts of a split one: the metadata, and the tensors."""
    n_tensors, n_values = struct.unpack_from("<QQ", data, 8)
    fixed = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def after(at, kind):
        if kind == 8:
            return at + 8 + struct.unpack_from("<Q", data, at)[0]
        if kind != 9:
            return at + fixed[kind]
        kind, n = struct.unpack_from("<IQ", data, at)
        at += 12
        if kind in fixed:
            return at + n * fixed[kind]
        for _ in range(n):
            at = after(at, kind)
        return at

    def value(key, kind, form, number):
        return struct.pack("<Q", len(key)) + key + struct.pack("<I" + form, kind, number)

    at = 24
    for _ in range(n_values):
        at = after(at, 8)
        at = after(at + 4, struct.unpack_from("<I", data, at)[0])
    values, infos = data[24:at], at
    for _ in range(n_tensors):
        at = after(at, 8)
        at += 4 + 8 * struct.unpack_from("<I", data, at)[0] + 12
    infos, tensors = data[infos:at], data[-(-at // 32) * 32:]
    parts = []
    for i, (n, more, rest) in enumerate(((0, values, b""), (n_tensors, b"", infos))):
        head = b"GGUF" + struct.pack("<IQQ", 3, n, 3 + (n_values if more else 0)) + value(b"split.no", 2, "H", i)
        head += value(b"split.count", 2, "H", 2) + value(b"split.tensors.count", 5, "i", n_tensors) + more + rest
        parts.append(head + bytes(-len(head) % 32) + (tensors if rest else b""))
    return parts


def safetensors_head(path):
    with open(path, "rb") as file:
        return file.read(struct.unpack("<Q", file.read(8))[0])


class Format:
    """A sound file, where its damaged ones go, how they are damaged, and the command that reads them. `named`: what an error calls
    the file, as a pattern; empty for texts from standard input, which have no name."""

    def __init__(self, sound, place, damage, *command):
        self.sound, self.place, self.damage, self.command = sound, place, damage, command
        self.named = "" if str(command[-1]).startswith("@") else re.escape(place.name)


class Bench:
    """The formats, and the program that reads them."""

    def __init__(self, lfm, data, work, sanitized):
        self.lfm, self.work, self.sanitized = lfm, work, sanitized
        # Nothing of the user's own is read or written; a report of a sanitizer is no documented exit code.
        self.environment = {**os.environ, "HOME": str(work), "XDG_CACHE_HOME": str(work / "cache"), "XDG_STATE_HOME": str(work / "state"),
                            "HF_HOME": str(work / "hub"), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_HUB_OFFLINE": "1",
                            "ASAN_OPTIONS": "exitcode=99:detect_leaks=0:allocator_may_return_null=1:hard_rss_limit_mb=6000",
                            "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}
        self.gguf, self.model, self.folder = data / "gguf/mini-lfm2-moe-Q4_0.gguf", data / "models/tiny-lfm2", work / "folder"
        shutil.copytree(self.model, self.folder, ignore=shutil.ignore_patterns("reference"))
        self.make_sound_files()
        self.formats = {}
        self.add_models()
        self.add_folders()
        self.add_texts()

    def make_sound_files(self):
        work, folder = self.work, self.model
        for name, value in SOUND_JSON.items():
            (work / f"sound.{name}").write_text(json.dumps(value))
        for name, value in SOUND_TEXT.items():
            (work / f"sound.{name}").write_text(value)
        # The form of importance matrices before GGUF: names, counts, sums.
        old = struct.pack("<i", 2)
        for name in (b"blk.0.ffn_gate.weight", b"blk.1.ffn_up.weight"):
            old += struct.pack("<i", len(name)) + name + struct.pack("<ii", 4, 256) + struct.pack("<256f", *range(1, 257))
        (work / "sound.imatrix.dat").write_bytes(old)
        (work / "text").write_text("Sphinx of black quartz, judge my vow. " * 20)
        (work / "rows.txt").write_text("one\ntwo\n")
        (work / "messages.json").write_text('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "B"}]')
        self.sound("pack", self.gguf, "-o", work / "sound.packed")
        self.sound("imatrix", "-m", folder, "-f", work / "text", "-c", 16, "-o", work / "sound.imatrix")
        self.sound("perplexity", "-m", folder, "-f", work / "text", "-c", 16, "--save-base", work / "sound.base")
        (work / "sound.labelled").write_text("text,label\n" + "".join(f"row {i},{'ab'[i % 2]}\n" for i in range(40)))
        self.sound("classify", "fit", "-m", folder, "--labels", "a,b", "--labelled", work / "sound.labelled", "-o", work / "sound.calibration",
                   "--format", "csv")
        self.sound("batch", "-m", folder, "--any-model", work / "sound.batch", work / "sound.answers", "-t", 1, "-c", 64)
        (work / "long.batch").write_text((work / "sound.batch").read_text().replace("Hi", "Hi " * 200))
        self.sound("batch", "-m", folder, "--any-model", work / "long.batch", work / "long.answers", "-t", 1, "-c", 512,
                   "--prefix-cache", work / "sound.prefix")
        self.make_ledger()
        for i, part in enumerate(split_gguf(self.gguf.read_bytes()), 1):
            (work / f"sound-0000{i}-of-00002.gguf").write_bytes(part)
            (work / f"split-0000{i}-of-00002.gguf").write_bytes(part)

    def make_ledger(self):
        """The server's own, with rows of a format that its columns tell."""
        path = self.work / "sound.ledger"
        with subprocess.Popen([self.lfm, "serve", "-m", str(self.model), "--port", "0", "-t", "1", "-c", "64", "--ledger", str(path)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment) as server:
            server.stdout.readline()
            server.terminate()
        with contextlib.closing(sqlite3.connect(path)) as ledger:
            columns = ledger.execute("PRAGMA table_info(requests)").fetchall()[1:]
            row = [{"TEXT": "text", "REAL": 0.5}.get(column[2], 200) for column in columns]
            row[0] = 1764500000000000  # 2025-11-30
            ledger.executemany(f"INSERT INTO requests ({','.join(c[1] for c in columns)}) VALUES ({','.join('?' * len(row))})", [row] * 60)
            ledger.commit()
            ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def sound(self, *args):
        done = subprocess.run([self.lfm, *map(str, args)], capture_output=True, stdin=subprocess.DEVNULL, env=self.environment)
        if done.returncode != 0:
            raise SystemExit(f"a sound file cannot be made: {args}: {done.stderr.decode(errors='replace')}")

    def add(self, name, damage, *command, sound=None, place=None):
        sound = sound or self.work / f"sound.{name}"
        self.formats[name] = Format(sound, place or self.work / f"m.{name}", damage, *command)

    def add_models(self):
        work, head = self.work, lambda n: lambda data, random_: damage_bytes(data, random_, n)
        run = ("-p", "Hi", "-n", "2", "--temp", "0", "-t", "1", "-c", "64")
        quantize = ("quantize", self.model, "/dev/null", "--type", "q2_k", "-t", "1", "--imatrix")
        self.add("gguf", head(200_000), "run", "-m", work / "m.gguf", *run, sound=self.gguf)
        for i, n in ((1, 200_000), (2, 4_000)):
            self.add(f"split {i}", head(n), "run", "-m", work / "split-00001-of-00002.gguf", *run,
                     sound=work / f"sound-0000{i}-of-00002.gguf", place=work / f"split-0000{i}-of-00002.gguf")
        self.add("packed", head(200_000), "run", "-m", work / "m.packed", *run)
        self.add("safetensors", head(8_000), "run", "-m", self.folder, *run, sound=self.model / "model.safetensors",
                 place=self.folder / "model.safetensors")
        self.add("imatrix", head(4_000), *quantize, work / "m.imatrix")
        self.add("imatrix.dat", head(400), *quantize, work / "m.imatrix.dat")
        self.add("base", head(100), "perplexity", "-m", self.model, "-f", work / "text", "-c", "16", "--base", work / "m.base", "-t", "1")
        self.add("ledger", head(4_200), "usage", "--ledger", work / "m.ledger", "--by", "day")
        self.add("prefix", head(400), "batch", "-m", self.model, "--any-model", work / "long.batch", "/dev/stdout", "-t", "1", "-c", "512",
                 "--prefix-cache", work / "m.prefix")
        self.formats["prefix"].named = ""  # one that cannot be used is no error
        self.formats["split 2"].named = "split-0000"

    def add_folders(self):
        work, model, place = self.work, self.model, self.folder
        run = ("-p", "Hi", "-n", "2", "-t", "1", "-c", "64")
        sharded = work / "sharded"
        shutil.copytree(place, sharded)
        (sharded / "model.safetensors").rename(sharded / "model-00001-of-00001.safetensors")
        names = json.loads(safetensors_head(model / "model.safetensors"))
        index = {"metadata": {}, "weight_map": {n: "model-00001-of-00001.safetensors" for n in names if n != "__metadata__"}}
        (work / "sound.index.json").write_text(json.dumps(index))
        self.add("index.json", damage_json, "run", "-m", sharded, "--temp", "0", *run, place=sharded / "model.safetensors.index.json")
        plain = work / "plain"  # whose templates stand in its configuration
        shutil.copytree(place, plain, ignore=shutil.ignore_patterns("chat_template.jinja"))
        self.add("templates", damage_json, "render", "-m", plain, "--messages", work / "messages.json", "--tools", work / "sound.tools",
                 place=plain / "tokenizer_config.json")
        tokenize, text = ("tokenize", "-m", place), "Hello [NEW] <|im_start|> wörld 123"
        for name, damage, *command in (
                ("config.json", damage_json, "run", "-m", place, "--temp", "0", *run), ("generation_config.json", damage_json, "run", "-m", place, *run),
                ("tokenizer.json", damage_json, *tokenize, text), ("special_tokens_map.json", damage_json, *tokenize, text),
                ("added_tokens.json", damage_json, *tokenize, text),
                ("tokenizer_config.json", damage_json, "render", "-m", place, "--messages", work / "messages.json", "--ids"),
                ("chat_template.jinja", damage_text, "render", "-m", place, "--messages", work / "messages.json")):
            self.add(name, damage, *command, sound=model / name if (model / name).exists() else None, place=place / name)
        # Files of a folder say things of each other: where two differ, the folder is named.
        for name, folder in [(name, place.name) for name in self.formats if (place / name).exists()] + [("safetensors", place.name), ("index.json", "sharded"), ("templates", "plain")]:
            self.formats[name].named = folder

    def add_texts(self):
        work, folder = self.work, self.model
        run = ("-p", "Hi", "-n", "2", "--temp", "0", "-t", "1", "-c", "64")
        other = lambda data, random_: damage_text(data, random_, OTHER_MARKS)
        small = ("-t", "1", "-c", "512")
        classify = ("classify", "-m", folder, *small, "-o", "/dev/stdout")
        batch, messages = ("batch", "-m", folder, "--any-model"), ("--messages", work / "messages.json")
        for name, damage, *command in (
                ("template", damage_text, "render", "-m", folder, *messages, "--template", work / "m.template"),
                ("messages", damage_json, "render", "-m", folder, "--messages", work / "m.messages", "--ids"),
                ("tools", damage_json, "run", "-m", folder, "--tools", work / "m.tools", "--tool-choice", "required", *run, "-c", "512"),
                ("schema", damage_json, "run", "-m", folder, "--schema", work / "m.schema", *run),
                ("check", damage_json, "grammar", "check", "--schema", work / "m.check", "--json", work / "sound.document"),
                ("document", other, "grammar", "check", "--schema", work / "sound.schema", "--json", work / "m.document"),
                ("lark", other, "run", "-m", folder, "--grammar", work / "m.lark", *run),
                ("gbnf", other, "run", "-m", folder, "--grammar", work / "m.gbnf", *run),
                ("schemas", damage_json, "grammar", "bench", "-m", folder, work / "schemas"),
                ("labels", damage_json, *classify, "--labels", work / "m.labels", work / "rows.txt"),
                ("csv", other, *classify, "--labels", "a,b", "--format", "csv", "--text-column", "text", work / "m.csv"),
                ("jsonl", damage_lines, *classify, "--labels", "a,b", "--format", "jsonl", work / "m.jsonl"),
                ("labelled", other, "classify", "eval", "-m", folder, "--labels", "a,b", "--format", "csv", "--labelled", work / "m.labelled", *small),
                ("calibration", damage_json, *classify, "--labels", "a,b", "--calibration", work / "m.calibration", work / "rows.txt"),
                ("routes", damage_json, "route", "-m", folder, "--routes", work / "m.routes", "-t", "1", "Hi"),
                ("chat", damage_lines, "perplexity", "-m", folder, "--chat", work / "m.chat", *small),
                ("batch", damage_lines, *batch, work / "m.batch", "/dev/stdout", "-t", "1", "-c", "64"),
                ("answers", damage_lines, *batch, work / "sound.batch", work / "m.answers", "-t", "1", "-c", "64"),
                ("prices", damage_json, *batch, "--prices", work / "m.prices", work / "sound.batch", "/dev/stdout", "-t", "1", "-c", "64"),
                ("keys", other, "serve", "-m", folder, "--port", "0", "--ledger", work / "none/ledger", "--api-key-file", work / "m.keys"),
                ("ids", other, "logits", "-m", folder, "--ids", f"@{work}/m.ids", "-o", "/dev/null", "-t", "1"),
                ("text", other, "perplexity", "-m", folder, "-f", work / "m.text", "-c", "16", "-t", "1"),
                ("tokenize lines", damage_lines, "tokenize", "-m", folder, "--jsonl", "@m.tokenize lines"),
                ("detokenize lines", damage_lines, "detokenize", "-m", folder, "--jsonl", "@m.detokenize lines"),
                ("render lines", damage_lines, "render", "-m", folder, "--jsonl", "@m.render lines"),
                ("parse lines", damage_lines, "parse", "--jsonl", "@m.parse lines"),
                ("grammar lines", damage_lines, "grammar", "check", "--jsonl", "@m.grammar lines"),
                ("answer", other, "parse", "-m", folder, "--tools", work / "sound.tools", "@m.answer")):
            self.add(name, damage, *command)
        self.formats["template"].sound = folder / "chat_template.jinja"
        (work / "schemas").mkdir()
        self.formats["keys"].named = "m.keys|none/ledger"  # the latter ends the server before it begins
        schemas = self.formats["schemas"]
        schemas.place, schemas.named = work / "schemas/m.json", "schemas/m.json"
        self.formats["document"].named = ""  # what a text lacks is said in its own words

    def read(self, format_):
        """None, or what the program did that it must not do."""
        def limit():
            if not self.sanitized:
                resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # "@FILE" at the end: what the command reads from standard input.
        command, source = format_.command, os.devnull
        if str(command[-1]).startswith("@"):
            command, source = command[:-1], self.work / command[-1][1:]
        try:
            with open(source, "rb") as stdin:
                done = subprocess.run([self.lfm, *map(str, command)], stdin=stdin, capture_output=True, timeout=300 if self.sanitized else 60,
                                      preexec_fn=limit, env=self.environment)
        except subprocess.TimeoutExpired:
            return "does not end"
        self.code, self.message = done.returncode, done.stderr.decode(errors="replace")
        message = self.message
        if done.returncode not in CODES or "runtime error: " in message:
            return f"exit code {done.returncode}: {message[-2000:] if self.sanitized else message[-300:]}"
        if FORBIDDEN.search(message):
            return f"a raw control character: {message!r}"
        if done.returncode == 0 or (message.startswith(("refused: ", "not accepted: ")) and message.count("\n") == 1):
            return None  # the latter is what lfm grammar check is for
        lines = message.split("\n")
        if lines.pop() or message.count("lfm: error: ") != 1 or not lines[-1].startswith("lfm: error: "):
            # Requests of a batch fail for themselves: their errors are in its answers.
            return None if format_.command[0] == "batch" and done.returncode == 1 and " refused, " in lines[-1] else f"no single line of error: {message!r}"
        if not re.search(format_.named, lines[-1]) and " exceeds the context of " not in lines[-1]:
            return f"does not name the file: {lines[-1]!r}"
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
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="formats, with commas between them")
    parser.add_argument("--list", action="store_true", help="name the formats")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for one format at most")
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--library", type=pathlib.Path)
    args = parser.parse_args()
    n_faults = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(str(args.lfm.resolve()), args.data.resolve(), pathlib.Path(folder), args.sanitized)
        only = args.only.split(",") if args.only else [*bench.formats, "state"]
        for name in only:
            if name not in bench.formats and name != "state":
                parser.error(f"there is no format {name!r}; --list names them")
        if args.list:
            print("\n".join([*bench.formats, "state"]))
            return 0
        for name, format_ in bench.formats.items():
            if name in only:
                n_faults += damage_files(bench, name, format_, args)
        if args.library and "state" in only:
            faults = damaged_states(args.library.resolve(), args.data.resolve() / "gguf/mini-lfm2-moe-Q4_0.gguf",
                                    random.Random(f"{args.seed} state"), args.count)
            print("\n".join(faults[:20] + [f"state: {args.count - len(faults)} of {args.count} as promised"]))
            n_faults += len(faults)
    return 1 if n_faults else 0


def damage_files(bench, name, format_, args):
    """The number of faults with files of one format."""
    data, n_faults, n, end = format_.sound.read_bytes(), 0, args.first, time.monotonic() + args.seconds
    format_.place.write_bytes(data)
    bench.read(format_)
    if bench.code != 0 and name != "keys":
        raise SystemExit(f"{name}: the sound file is refused: {bench.message}")
    while n < args.first + args.count and time.monotonic() < end:
        format_.place.unlink(missing_ok=True)
        format_.place.write_bytes(format_.damage(data, random.Random(f"{args.seed} {name} {n}")))
        fault = bench.read(format_)
        if fault:
            n_faults += 1
            print(f"{name} {n}: {fault}", flush=True)
            if args.keep:
                args.keep.mkdir(exist_ok=True)
                shutil.copyfile(format_.place, args.keep / f"{name}.{args.seed}.{n}")
        n += 1
    format_.place.write_bytes(data)
    n -= args.first
    print(f"{name}: {n - n_faults} of {n} as promised", flush=True)
    return n_faults


if __name__ == "__main__":
    sys.exit(main())
