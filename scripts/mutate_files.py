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


def damage_text(data, random_):
    """Of a template: pieces are cut, moved and repeated, and marks put in."""
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
            marks = ("{%", "%}", "{{", "}}", "{#", "'", "[", "(", "|", "-%}", "{% for x in range(99999) %}", "{{ x * 999999 }}",
                     "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "\x00", "\u202e", "{{ messages|string * 9999 }}")
            text = text[:at] + random_.choice(marks) + text[at:]
        else:
            other = random_.randrange(len(text) + 1)
            text = text[:at] + text[other:other + len(piece)] + text[at + len(piece):]
    return text.encode()


class Bench:
    """The formats: what a sound file is, how it is damaged, and who reads it."""

    def __init__(self, lfm, data, work):
        self.lfm, self.work = lfm, work
        gguf = data / "gguf/mini-lfm2-moe-Q4_0.gguf"
        folder = data / "models/tiny-lfm2"
        self.folder = work / "folder"
        shutil.copytree(folder, self.folder, ignore=shutil.ignore_patterns("reference"))
        packed, imatrix, text = work / "sound.lfm", work / "sound.imatrix", work / "text"
        text.write_text("Sphinx of black quartz, judge my vow. " * 20)
        messages = work / "messages.json"
        messages.write_text('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "B"}]')
        self.sound("pack", gguf, "-o", packed)
        self.sound("imatrix", "-m", folder, "-f", text, "-c", 16, "-o", imatrix)
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
        }

    def sound(self, *args):
        subprocess.run([self.lfm, *map(str, args)], check=True, capture_output=True)

    def read(self, command):
        """None, or what the program did that it must not do."""
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            done = subprocess.run([self.lfm, *map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, preexec_fn=limit)
        except subprocess.TimeoutExpired:
            return "does not end"
        message = done.stderr.decode(errors="replace")
        if done.returncode not in CODES:
            return f"exit code {done.returncode}: {message[-300:]}"
        if FORBIDDEN.search(message):
            return f"a raw control character: {message!r}"
        if done.returncode != 0 and (message.count("lfm: error: ") != 1 or not message.endswith("\n")):
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
