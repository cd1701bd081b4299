"""The program lfm from outside: every subcommand with good and bad input. Needs only Python's standard library.

usage: cli_test.py LFM DATA_DIR [unittest arguments]
"""
import base64
import json
import os
import pathlib
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

LFM = os.path.abspath(sys.argv[1])
DATA = pathlib.Path(sys.argv[2]).resolve()
MODEL = str(DATA / "models/tiny-lfm25-moe")
DENSE = str(DATA / "models/tiny-lfm2")
GGUF = str(DATA / "gguf/mini-lfm2-moe-Q4_0.gguf")


def lfm(*args, stdin=b"", env=None, timeout=120):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    environment = {**os.environ, **(env or {})}
    environment.pop("LFM_ISA", None) if not env else None
    return subprocess.run([LFM, *map(str, args)], input=stdin, capture_output=True, timeout=timeout, env=environment)


def read_npy(path):
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10 : 10 + length].decode())  # noqa: S307: our own file
    assert header["descr"] == "<f4" and not header["fortran_order"]
    return header["shape"], data[10 + length :]


class Case(unittest.TestCase):
    def ok(self, *args, **kwargs):
        done = lfm(*args, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def json(self, *args, **kwargs):
        out = self.ok(*args, **kwargs)
        self.assertEqual(out.count(b"\n"), 1)
        return json.loads(out)

    def fails(self, code, *args, says="", **kwargs):
        done = lfm(*args, **kwargs)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{args}: {message}")
        self.assertEqual(done.stdout, b"")
        self.assertTrue(message.startswith("lfm: error: "), message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertIn(says, message)
        return message


class Program(Case):
    def test_help_and_version(self):
        page = self.ok("help").decode()
        for command in ("run", "info", "tokenize", "detokenize", "render", "logits", "verify", "doctor", "synth", "completion"):
            self.assertIn(f"\n  {command} ", page)
            self.assertIn("--help", self.ok("help", command).decode())
            self.assertIn("--help", self.ok(command, "--help").decode())
        self.assertEqual(page, self.ok("--help").decode())
        version = self.ok("--version").decode()
        for part in ("lfm ", "commit ", "compiler ", "ISA ", "scalar"):
            self.assertIn(part, version)

    def test_wrong_usage(self):
        self.fails(2, "fly", says="fly")
        self.fails(2, "help", "fly", says="fly")
        self.fails(2, "run", "--fly", says="--fly")
        self.fails(2, "run", "-m", MODEL, "-p", says="-p")
        self.fails(2, "run", "-p", "x", says="-m")
        self.fails(2, "--fly")

    def test_completion(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.ok("completion", shell).decode()
            for word in ("tokenize", "temp", "f32"):
                self.assertIn(word, script)
        self.assertEqual(subprocess.run(["bash", "-n"], input=self.ok("completion", "bash")).returncode, 0)
        done = subprocess.run(
            ["bash", "-c", "source /dev/stdin; COMP_WORDS=(lfm to); COMP_CWORD=1; _lfm; echo ${COMPREPLY[@]};"
             "COMP_WORDS=(lfm run --compute ''); COMP_CWORD=3; _lfm; echo ${COMPREPLY[@]}"],
            input=self.ok("completion", "bash"), capture_output=True)
        self.assertEqual(done.stdout.decode(), "tokenize\nauto f32\n")
        self.fails(2, "completion", says="bash")
        self.fails(2, "completion", "tcsh", says="tcsh")

    def test_full_disk(self):
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([LFM, "help"], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"standard output", done.stderr)


# How a disk fills up, without one: no file may grow beyond this, and a write that would is an error.
LITTLE = 2048


def lfm_on_a_full_disk(*args):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LITTLE, LITTLE))
    # restore_signals: Python ignores SIGXFSZ, and so does the program then.
    return subprocess.run([LFM, *map(str, args)], capture_output=True, timeout=120, preexec_fn=limit, restore_signals=False)


class FullDisk(Case):
    def test_nothing_half_written(self):
        with tempfile.TemporaryDirectory() as folder:
            text = pathlib.Path(folder, "text.txt")
            text.write_text("The quick brown fox jumps over the lazy dog. " * 200)
            kept = sorted(os.listdir(folder))
            out = os.path.join(folder, "out")
            for args in (("convert", DENSE, out + ".gguf"), ("convert", GGUF, out + "-folder"), ("quantize", DENSE, out, "--type", "q4_k_m"),
                         ("imatrix", "-m", DENSE, "-f", text, "-o", out, "-c", "64"), ("pack", GGUF, "-o", out),
                         ("logits", "-m", DENSE, "--ids", ",".join(["5"] * 40), "-o", out),
                         ("synth", "--like", "LFM2-350M", "--type", "q4_0", "-o", out)):
                done = lfm_on_a_full_disk(*args)
                message = done.stderr.decode()
                self.assertEqual(done.returncode, 1, f"{args}: {message}")
                self.assertIn("File too large", message)
                self.assertIn(out, message)
                self.assertEqual(sorted(os.listdir(folder)), kept, args)


class Quantize(Case):
    def test_target_kl_is_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            text, out = pathlib.Path(folder, "text.txt"), os.path.join(folder, "out.gguf")
            text.write_text("Sphinx of black quartz, judge my vow. 42 boxing wizards jump quickly. " * 48)
            page = self.ok("quantize", MODEL, out, "--target-kl", "2", "--file", text).decode()
            measured = [float(line.split()[2]) for line in page.splitlines() if line.startswith("measured KL ")]
            self.assertLessEqual(measured[-1], 2)
            self.assertEqual(sorted(os.listdir(folder)), ["out.gguf", "text.txt"])
            base = os.path.join(folder, "base")
            self.ok("perplexity", "-m", MODEL, "-f", text, "-c", "256", "--compute", "f32", "--save-base", base)
            report = self.json("perplexity", "-m", out, "-f", text, "-c", "256", "--base", base, "--json")
            self.assertLessEqual(report["passages"], 8)     # so both read the same
            self.assertAlmostEqual(report["kl"]["value"], measured[-1], delta=0.01 * measured[-1])
            os.remove(out)
            done = lfm("quantize", MODEL, out, "--target-kl", "1e-9", "--file", text)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("name a larger loss", done.stderr.decode())
            self.assertEqual(sorted(os.listdir(folder)), ["base", "text.txt"])
        self.fails(2, "quantize", MODEL, "x.gguf", "--type", "q8_0", "--file", "x", says="--target-kl")


class Models(Case):
    def test_missing_and_foreign(self):
        with tempfile.TemporaryDirectory() as folder:
            self.fails(3, "info", f"{folder}/none.gguf", says="none.gguf")
            self.fails(3, "info", folder, says="config.json")
            text = pathlib.Path(folder, "a.gguf")
            text.write_text("hello")
            self.fails(3, "info", text)
            text.write_bytes(pathlib.Path(GGUF).read_bytes()[:5000])
            self.fails(3, "info", text)
            self.fails(3, "run", "-m", text, "-p", "x")

    def test_verify_knows_no_reference(self):
        self.fails(3, "verify", "-m", MODEL, says="no reference is known")

    def test_info(self):
        for model, architecture in ((MODEL, "lfm2moe"), (DENSE, "lfm2"), (GGUF, "lfm2moe")):
            info = self.json("info", model, "--json")
            self.assertEqual(info["architecture"], architecture)
            for name in ("name", "parameters", "active_parameters", "layers", "context_length", "vocab_size", "file_type",
                         "file_bytes", "weight_bytes_per_token", "state_bytes_per_token", "state_bytes_per_sequence",
                         "chat_template", "isa"):
                self.assertIn(name, info)
            for i, layer in enumerate(info["layers"]):
                self.assertEqual(layer["index"], i)
                self.assertIn(layer["mixer"], ("conv", "attention"))
                self.assertIn(layer["ffn"], ("dense", "moe"))
            self.assertEqual(info["isa"]["detected"][-1], "scalar")
            self.assertTrue(info["isa"]["chosen"])
            self.assertIn(info["architecture"], self.ok("info", model).decode())
        self.assertEqual(self.json("info", "-m", MODEL, "--json"), self.json("info", MODEL, "--json"))

    def test_info_counts(self):
        config = json.loads(pathlib.Path(MODEL, "config.json").read_text())
        d, layers = config["hidden_size"], len(config["layer_types"])
        n_attention = config["layer_types"].count("full_attention")
        info = self.json("info", MODEL, "--json", "--tensors")
        self.assertEqual(info["state_bytes_per_token"], n_attention * config["num_key_value_heads"] * 2 * (64 * 2 + 4))
        self.assertEqual(info["state_bytes_per_sequence"], (layers - n_attention) * 2 * d * 4)
        expert = 3 * d * config["moe_intermediate_size"]
        idle = (layers - config["num_dense_layers"]) * (config["num_experts"] - config["num_experts_per_tok"]) * expert
        self.assertEqual(info["parameters"] - info["active_parameters"], idle)
        self.assertEqual(info["parameters"], sum(_product(t["shape"]) for t in info["tensors"]))
        self.assertIn("operator_norm", self.ok("info", MODEL, "--tensors").decode())

    def test_isa(self):
        self.assertEqual(set(self.json("info", MODEL, "--json", "--isa", "scalar")["isa"]["chosen"].values()), {"scalar"})
        message = self.fails(2, "info", MODEL, "--isa", "abacus", says="scalar")
        self.assertIn("abacus", message)
        foreign = "neon" if os.uname().machine == "x86_64" else "avx2"
        self.fails(2, "logits", "-m", MODEL, "--ids", "1", "-o", "x.npy", "--isa", foreign, says="scalar")
        self.fails(2, "info", MODEL, says="LFM_ISA", env={"LFM_ISA": "abacus"})
        chosen = self.json("info", MODEL, "--json", env={"LFM_ISA": "scalar"})["isa"]["chosen"]
        self.assertEqual(set(chosen.values()), {"scalar"})


    def test_doctor(self):
        with tempfile.TemporaryDirectory(prefix="secretfolder") as folder:
            path = pathlib.Path(folder, "m.gguf")
            path.write_bytes(pathlib.Path(GGUF).read_bytes())
            env = {"HOME": folder, "USER": "secretuser", "XDG_CACHE_HOME": folder}
            tuned = self.json("doctor", "--tune", "--json", env=env)
            kept, = pathlib.Path(folder, "lfm", "tuned").iterdir()
            report = self.json("doctor", "-m", path, "--json", env=env)
            kept.write_text(kept.read_text().replace('"cpu": "', '"cpu": "another '))
            page = self.ok("doctor", "-m", path, env=env).decode()
            names = {"secretfolder", "secretuser", os.uname().nodename}
            for name in names:
                if not name.isalpha() or name.startswith("secret"):  # a host that is named by a word of the page would be no leak
                    self.assertNotIn(name, page)
                    self.assertNotIn(name, json.dumps(report))
        self.assertIn("stale or damaged", page)
        chosen = [{"type": one["type"], "prefetch": one["chosen"]} for one in tuned["types"] if one["chosen"] != one["usual"]]
        self.assertEqual(report["prefetching"], {"tuned": True, "unused_file": False, "types": chosen})
        for name in ("lfm", "commit", "system", "cpu", "memory", "state", "limits", "kernels", "model", "advice"):
            self.assertIn(name, report)
        self.assertTrue(all(kernel["pass"] and kernel["cases"] >= 6 for kernel in report["kernels"]))
        self.assertEqual(report["cpu"]["isa_detected"][-1], "scalar")
        self.assertGreaterEqual(report["cpu"]["default_threads"], 1)
        model = report["model"]
        self.assertEqual(model["file"], "m.gguf")
        self.assertGreater(model["disk"]["bytes_per_s"], 0)
        for kind in ("decode", "prefill"):
            self.assertGreater(model[kind]["limit_tokens_per_s"], 0)
            self.assertGreater(model[kind]["tokens_per_s"], 0)
        for part in ("Processor", "Limits, measured", "Model m.gguf", "at most", "What to change", "tokens per second"):
            self.assertIn(part, page)
        self.assertEqual(lfm("doctor", "-m", GGUF, "-t", 1).stderr, b"")
        self.fails(2, "doctor", "--isa", "abacus", says="abacus")
        self.fails(2, "doctor", "--tune", "-m", GGUF, says="leave -m away")
        self.fails(3, "doctor", "-m", "/none.gguf", says="none.gguf")

    def test_tuned_distances(self):
        with tempfile.TemporaryDirectory() as folder:
            env = {"LFM_CACHE": folder}
            done = lfm("doctor", "--tune", "-t", 1, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            for part in (b"Q4_0", b"best against usual", b"1 thread"):
                self.assertIn(part, done.stdout)
            kept, = pathlib.Path(folder, "tuned").iterdir()
            self.assertIn(str(kept).encode(), done.stderr)
            text = kept.read_text()
            answer = ("run", "-m", GGUF, "--ids", "1,5,6", "-n", 4, "--temp", 0)
            usual = lfm(*answer, env={"LFM_CACHE": folder + "/none"})
            # What was found is followed, what is of another version is not, and neither is said nor changes an answer.
            types = [{"type": "Q4_0", "to_second": 4096, "to_first": 512}]
            for changed in ({"types": types}, {"program": "0.0.0", "types": types}, {}):
                kept.write_text(json.dumps({**json.loads(text), **changed}))
                done = lfm(*answer, env=env)
                self.assertEqual((done.stdout, done.stderr), (usual.stdout, usual.stderr))
            for damaged in ("", text[:50], text.replace("prefetching 1", "prefetching 9"), "[" * 1000, "x" * 100_000):
                kept.write_text(damaged)
                done = lfm(*answer, env=env)
                self.assertEqual((done.returncode, done.stdout), (0, usual.stdout))
                self.assertIn(kept.name.encode(), done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), usual.stderr.count(b"\n") + 1)


def _product(numbers):
    result = 1
    for number in numbers:
        result *= number
    return result


class Text(Case):
    def test_tokenize(self):
        with_bos = self.json("tokenize", "-m", MODEL, "--json", "Hello, wörld")
        without = self.json("tokenize", "-m", MODEL, "--json", "--no-bos", "Hello, wörld")
        self.assertEqual(with_bos["ids"][1:], without["ids"])
        self.assertEqual(len(with_bos["ids"]), len(with_bos["pieces"]))
        self.assertEqual(with_bos["pieces"][0], "<|startoftext|>")
        for text in ("-", None):
            args = [text] if text else []
            self.assertEqual(self.json("tokenize", "-m", MODEL, "--json", *args, stdin="Hello, wörld"), with_bos)
        self.assertEqual(self.ok("tokenize", "-m", MODEL, "Hello, wörld").split(), [b"%d" % i for i in with_bos["ids"]])
        self.assertEqual(self.json("tokenize", "-m", MODEL, "--json", "--no-bos", stdin=b"")["ids"], [])
        self.assertIn("\ufffd", "".join(self.json("tokenize", "-m", MODEL, "--json", stdin=b"a\xffb")["pieces"]))
        self.fails(2, "tokenize", "x", says="-m")

    def test_a_tokenizer_alone_is_enough(self):
        folder = DATA / "tokenizer/lfm25-2048"
        if folder.is_dir():
            self.assertEqual(self.json("tokenize", "-m", folder, "--json", "Hello"),
                             self.json("tokenize", "-m", MODEL, "--json", "Hello"))

    def test_detokenize(self):
        text = "Hello, wörld\n"
        ids = self.json("tokenize", "-m", MODEL, "--json", "--no-bos", text)["ids"]
        self.assertEqual(self.ok("detokenize", "-m", MODEL, *ids), text.encode())
        self.assertEqual(self.ok("detokenize", "-m", MODEL, ",".join(map(str, ids))), text.encode())
        self.assertEqual(self.ok("detokenize", "-m", MODEL, stdin=json.dumps(ids)), text.encode())
        self.assertEqual(self.ok("detokenize", "-m", MODEL, 2047, 9999999), b"<|reserved_11|>")
        self.fails(2, "detokenize", "-m", MODEL, "12x", says="12x")
        self.fails(2, "detokenize", "-m", MODEL, "1,-2", says="-2")

    def test_jsonl(self):
        lines = [
            json.dumps({"text": "a\u2028b", "add_special": False, "tag": "x"}, ensure_ascii=False),
            "not json",
            json.dumps({"text": 3}),
            "[]",
            "",
            json.dumps({"text": "x" * 300000, "add_special": True}),
        ]
        out = self.ok("tokenize", "-m", MODEL, "--jsonl", stdin="\n".join(lines)).decode().split("\n")
        self.assertEqual(out.pop(), "")
        rows = [json.loads(line) for line in out]
        self.assertEqual(len(rows), len(lines))
        self.assertEqual([list(row) for row in rows], [["ids"], ["error"], ["error"], ["error"], ["error"], ["ids"]])
        for i, text in ((0, "a\u2028b"), (5, None)):
            request = json.dumps({"ids": rows[i]["ids"], "pieces": []}) + "\n"
            back = json.loads(self.ok("detokenize", "-m", MODEL, "--jsonl", stdin=request))
            if text:
                self.assertEqual(base64.b64decode(back["bytes"]).decode(), text)
        bad = self.ok("detokenize", "-m", MODEL, "--jsonl", stdin='{"ids": [1.5]}\n{"ids": "1"}\n{"ids": []}\n')
        self.assertEqual([list(json.loads(line)) for line in bad.splitlines()], [["error"], ["error"], ["bytes"]])

    def test_render(self):
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "m.json")
            path.write_text(json.dumps(messages))
            tools = pathlib.Path(folder, "t.json")
            tools.write_text(json.dumps([{"name": "f"}]))
            own = pathlib.Path(folder, "own.jinja")
            own.write_text("{{ bos_token }}{{ n + 1 }}{{ s }}{% if add_generation_prompt %}!{% endif %}")
            base = ("render", "-m", MODEL, "--messages", path)
            whole = self.ok(*base).decode()
            self.assertEqual(whole, "<|startoftext|><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                                    "<|im_start|>assistant\n")
            self.assertEqual(self.ok(*base, "--no-generation-prompt").decode() + "<|im_start|>assistant\n", whole)
            self.assertEqual(self.ok("render", "-m", MODEL, "--messages", "-", stdin=path.read_bytes()).decode(), whole)
            path.write_text(json.dumps({"messages": messages}))
            self.assertEqual(self.ok(*base).decode(), whole)
            self.assertIn('{"name": "f"}', self.ok(*base, "--tools", tools).decode())
            self.assertEqual(self.ok(*base, "--template", own, "--set", "n=41", "--set", "s=a=b").decode(),
                             "<|startoftext|>42a=b!")
            self.fails(2, *base, "--set", "x", says="key=value")
            self.fails(2, *base, "--template", "/none", says="/none")
            own.write_text("{% if %}")
            self.fails(2, *base, "--template", own, says="line 1")
            path.write_text("{")
            self.fails(2, *base, says="byte")
            path.write_text("[3]")
            self.fails(2, *base, says="message 0")
            self.fails(2, "render", "-m", MODEL, says="--messages")

            rows = [{"messages": messages, "tools": None, "add_generation_prompt": True, "expected": "?"},
                    {"messages": []}, {"tools": []}]
            out = self.ok("render", "-m", MODEL, "--jsonl", stdin="".join(json.dumps(row) + "\n" for row in rows))
            out = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(out[0], {"text": whole})
            self.assertEqual([list(row) for row in out[1:]], [["error"], ["error"]])


class Logits(Case):
    def test_same_bits(self):
        ids = ",".join(str(i * 7 % 2000) for i in range(40))
        with tempfile.TemporaryDirectory() as folder:
            def run(name, *args):
                out, layers = f"{folder}/{name}.npy", f"{folder}/{name}-layers.npy"
                self.ok("logits", "-m", MODEL, "--ids", ids, "-o", out, "--layers", layers, *args)
                return read_npy(out), read_npy(layers)
            wanted = run("a", "--compute", "f32")
            self.assertEqual(wanted[0][0], (40, 2048))
            self.assertEqual(wanted[1][0], (9, 40, 192))
            for name, args in (("b", ("--chunk", 7)), ("c", ("--chunk", 1, "--threads", 1)), ("d", ("--threads", 5)),
                               ("e", ("--isa", "scalar"))):
                self.assertTrue(run(name, "--compute", "f32", *args) == wanted, args)
            self.ok("logits", "-m", MODEL, "--ids", "-", "-o", f"{folder}/f.npy", stdin="1 2 3")
            self.assertEqual(read_npy(f"{folder}/f.npy")[0], (3, 2048))
            self.fails(2, "logits", "-m", MODEL, "--ids", "1", says="-o")
            self.fails(2, "logits", "-m", MODEL, "-o", f"{folder}/x.npy", says="--ids")
            self.fails(2, "logits", "-m", MODEL, "--ids", "", "-o", f"{folder}/x.npy")
            self.fails(2, "logits", "-m", MODEL, "--ids", "2048", "-o", f"{folder}/x.npy", says="2048")
            self.fails(2, "logits", "-m", MODEL, "--ids", "1", "-o", f"{folder}/x.npy", "--chunk", 0)
            self.fails(2, "logits", "-m", MODEL, "--ids", "1", "-o", f"{folder}/x.npy", "--threads", 0)
            self.fails(2, "logits", "-m", MODEL, "--ids", "1", "-o", f"{folder}/x.npy", "--compute", "f64", says="f64")
            done = lfm("logits", "-m", MODEL, "--ids", "1", "-o", f"{folder}/none/x.npy")
            self.assertNotEqual(done.returncode, 0)
            self.assertFalse([name for name in os.listdir(folder) if "x.npy" in name])

    def test_golden(self):
        reference = pathlib.Path(DENSE, "reference")
        prompts = json.loads((reference / "prompts.json").read_text())
        with tempfile.TemporaryDirectory() as folder:
            for name in ("p1", "p17"):
                if not (reference / f"logits_{name}.npy").exists():
                    continue
                ids = ",".join(map(str, prompts[name]["ids"]))
                self.ok("logits", "-m", DENSE, "--ids", ids, "-o", f"{folder}/x.npy", "--compute", "f32")
                shape, ours = read_npy(f"{folder}/x.npy")
                wanted_shape, wanted = read_npy(reference / f"logits_{name}.npy")
                self.assertEqual(shape, wanted_shape)
                n = shape[0] * shape[1]
                pairs = zip(struct.unpack(f"<{n}f", ours), struct.unpack(f"<{n}f", wanted))
                self.assertLess(max(abs(a - b) for a, b in pairs), 5e-4)


class Parse(Case):
    def test_lines(self):
        call = '<|tool_call_start|>[f(s="it\'s", n=1)]<|tool_call_end|>'
        rows = [{"text": call}, {"text": "f(n=1)", "tools": ["f"]}, {"text": "a</think>b"}, {"text": 5}, {"text": "x", "tools": [{}]},
                {"text": "a", "reasoning_open": True, "tools": [{"function": {"name": "f"}}]}]
        out = self.ok("parse", "--jsonl", "--every-split", "-m", MODEL, stdin="\n".join(map(json.dumps, rows)))
        self.assertEqual([json.loads(line) for line in out.splitlines()], [
            {"calls": [{"name": "f", "arguments": {"s": "it's", "n": 1}}], "content": None, "reasoning": None},
            {"calls": [{"name": "f", "arguments": {"n": 1}}], "content": None, "reasoning": None},
            {"calls": [], "content": "b", "reasoning": "a"},
            {"error": '"text" is missing or no string'},
            {"error": "a tool has no name"},
            {"calls": [], "content": None, "reasoning": "a"}])

    def test_text(self):
        self.assertEqual(self.json("parse", "Hello."), {"calls": [], "content": "Hello.", "reasoning": None})
        self.assertEqual(self.json("parse", "--reasoning-open", stdin="Hm"), {"calls": [], "content": None, "reasoning": "Hm"})
        with tempfile.TemporaryDirectory() as folder:
            tools = pathlib.Path(folder, "tools.json")
            tools.write_text('[{"name": "f"}]')
            self.assertEqual(len(self.json("parse", "--tools", tools, "[f()]")["calls"]), 1)
        self.fails(2, "parse", "--jsonl", "x", says="--jsonl")
        self.fails(2, "parse", "--every-split", stdin="x" * 70_000, says="65536")


class Run(Case):
    base = ("run", "-m", MODEL, "--seed", "1")

    def test_json(self):
        out = self.json(*self.base, "-p", "Hi", "-n", 5, "--json")
        self.assertEqual(set(out) - {"thinking"}, {"text", "ids", "prompt_ids", "stop_reason", "timings"})
        self.assertIn(out["stop_reason"], ("eos", "length", "stop"))
        self.assertEqual(set(out["timings"]), {"prompt_tokens", "prompt_ms", "prompt_per_second", "predicted_tokens",
                                               "predicted_ms", "predicted_per_second"})
        self.assertEqual(out["timings"]["prompt_tokens"], len(out["prompt_ids"]))
        self.assertEqual(out["timings"]["predicted_tokens"], len(out["ids"]))
        again = self.json(*self.base, "-p", "Hi", "-n", 5, "--json")
        self.assertEqual(again["ids"], out["ids"])
        prompt = "<|startoftext|><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        self.assertEqual(self.json("tokenize", "-m", MODEL, "--no-bos", "--json", prompt)["ids"], out["prompt_ids"])

    def test_prompts(self):
        piped = self.json(*self.base, "-n", 3, "--json", stdin="Hi")
        self.assertEqual(piped["ids"], self.json(*self.base, "-n", 3, "--json", "-p", "Hi")["ids"])
        self.assertEqual(piped["ids"], self.json(*self.base, "-n", 3, "--json", stdin="Hi\n")["ids"])
        raw = self.json(*self.base, "-n", 3, "--json", "--raw", "-p", "Hi")
        self.assertEqual(raw["prompt_ids"], self.json("tokenize", "-m", MODEL, "--json", "Hi")["ids"])
        ids = self.json(*self.base, "-n", 3, "--json", "--ids", ",".join(map(str, raw["prompt_ids"])))
        self.assertEqual((ids["ids"], ids["text"]), (raw["ids"], raw["text"]))
        system = self.json(*self.base, "-n", 1, "--json", "-p", "-5 [x]", "--system", "S")
        text = self.ok("detokenize", "-m", MODEL, *system["prompt_ids"]).decode()
        self.assertIn("<|im_start|>system\nS<|im_end|>", text)
        self.assertIn("user\n-5 [x]<|im_end|>", text)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "m.json")
            path.write_text(json.dumps([{"role": "user", "content": "Hi"}]))
            self.assertEqual(self.json(*self.base, "-n", 3, "--json", "--messages", path)["ids"], piped["ids"])

    def test_plain_output(self):
        text = self.json(*self.base, "--raw", "-p", "Hi", "-n", 8, "--json")["text"]
        self.assertEqual(self.ok(*self.base, "--raw", "-p", "Hi", "-n", 8).decode().rstrip("\n"), text.rstrip("\n"))
        done = lfm(*self.base, "-p", "Hi", "-n", 4, "--stats")
        for part in (b"tokens/s", b"% of the limit", b"waiting", b"bytes/token", b"GB/s", b"measured just now"):
            self.assertIn(part, done.stderr)
        self.assertEqual(lfm(*self.base, "-p", "Hi", "-n", 4).stderr, b"")

    def test_greedy_golden(self):
        for model in (MODEL, DENSE):
            reference = pathlib.Path(model, "reference")
            prompts = json.loads((reference / "prompts.json").read_text())
            for row in json.loads((reference / "greedy.json").read_text()):
                if row["prompt"] not in ("p5", "p17"):
                    continue
                n = next((i for i, margin in enumerate(row["margins"]) if margin < 1e-3), len(row["ids"]))
                out = self.json("run", "-m", model, "--ids", ",".join(map(str, prompts[row["prompt"]]["ids"])), "-n", n,
                                "--temp", 0, "--repeat-penalty", row["repetition_penalty"], "--ignore-eos", "--json",
                                "--compute", "f32")
                self.assertEqual(out["ids"], row["ids"][:n])
                self.assertEqual(out["stop_reason"], "length")

    def test_what_ends_an_answer(self):
        eos = json.loads(pathlib.Path(MODEL, "config.json").read_text())["eos_token_id"]
        forced = (*self.base, "-p", "Hi", "--logit-bias", f"{eos}=1000", "--json")
        out = self.json(*forced)
        self.assertEqual((out["ids"], out["text"], out["stop_reason"]), ([eos], "", "eos"))
        self.assertEqual(self.json(*forced, "--special")["text"], "<|im_end|>")
        out = self.json(*forced, "--ignore-eos", "-n", 3)
        self.assertEqual((out["ids"], out["text"], out["stop_reason"]), ([eos] * 3, "", "length"))
        out = self.json(*forced, "--ignore-eos", "--special", "-n", 3, "--stop", "[x]", "--stop", "end|><|")
        self.assertEqual((out["text"], out["stop_reason"]), ("<|im_", "stop"))
        self.assertEqual(self.json(*self.base, "-p", "Hi", "-n", 0, "--json")["ids"], [])

    def test_tool_call_tokens_stay(self):
        start = self.json("tokenize", "-m", MODEL, "--no-bos", "--json", "<|tool_call_start|>")["ids"][0]
        out = self.json(*self.base, "-p", "Hi", "--logit-bias", f"{start}=1000", "-n", 2, "--json")
        self.assertEqual(out["text"], "<|tool_call_start|>" * 2)

    def test_tool_calls(self):
        with tempfile.TemporaryDirectory() as folder:
            tools = pathlib.Path(folder, "tools.json")
            tools.write_text(json.dumps([{"type": "function", "function": {"name": "look_up"}}, {"name": "g"}]))
            base = (*self.base, "-p", "Hi", "--tools", tools)
            out = self.json(*base, "-n", 3, "--json", "--tool-choice", "look_up")
            self.assertTrue(out["text"].startswith("<|tool_call_start|>[look_up("), out["text"])
            # There is room for three tokens, in which the call is closed.
            self.assertEqual((out["content"], out["tool_calls"]), (None, [{"name": "look_up", "arguments": {}}]))
            out = self.json(*base, "-n", 3, "--json", "--tool-choice", "required")
            self.assertTrue(out["text"].startswith("<|tool_call_start|>"), out["text"])
            start = self.json("tokenize", "-m", MODEL, "--no-bos", "--json", "<|tool_call_start|>")["ids"][0]
            out = self.json(*base, "-n", 3, "--json", "--tool-choice", "none", "--logit-bias", f"{start}=1000")
            self.assertNotIn(start, out["ids"])
            self.fails(2, *base, "--tool-choice", "f", says="'f'")
            self.fails(2, *self.base, "-p", "Hi", "--tool-choice", "required", says="needs --tools")
            self.fails(2, *base, "--raw", "--tool-choice", "none", says="--raw")
            history = [{"role": "user", "content": "go"},
                       {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "g", "arguments": "{"}}]}]
            messages = pathlib.Path(folder, "messages.json")
            messages.write_text(json.dumps(history))
            self.fails(2, *self.base, "--messages", messages, says="messages[1].tool_calls[0].function.arguments")

    def test_a_call_is_shown_as_a_call(self):
        import pty

        demo = DATA.parent.parent / "models/lfm-demo.gguf"
        with tempfile.TemporaryDirectory() as folder:
            tools = pathlib.Path(folder, "tools.json")
            tools.write_text(json.dumps([{
                "name": "book_table", "description": "Reserve a restaurant table", "parameters": {
                    "type": "object", "properties": {"restaurant": {"type": "string"}, "guests": {"type": "integer"}}}}]))
            args = [LFM, "run", "-m", str(demo), "--temp", "0", "--tools", str(tools), "-p", "Book a table for 5 at Noma"]
            pid, fd = pty.fork()
            if pid == 0:
                os.execv(LFM, args)
            shown = b""
            while True:
                try:
                    chunk = os.read(fd, 4096)
                except OSError:
                    break
                if not chunk:
                    break
                shown += chunk
            os.close(fd)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
            self.assertIn(b'book_table(restaurant="Noma"', shown)
            self.assertNotIn(b"<|tool_call", shown)

    def test_thinking(self):
        think, end = (self.json("tokenize", "-m", MODEL, "--no-bos", "--json", t)["ids"][0] for t in ("<think>", "</think>"))
        out = self.json(*self.base, "-p", "Hi", "--logit-bias", f"{think}=1000", "-n", 1, "--json")
        self.assertEqual((out["text"], out["thinking"]), ("", ""))
        out = self.json(*self.base, "--raw", "-p", "Hi", "--logit-bias", f"{think}=1000", "-n", 1, "--json")
        self.assertEqual(out["text"], "<think>")
        self.assertNotIn("thinking", out)
        shown = self.ok(*self.base, "-p", "Hi", "--logit-bias", f"{think}=1000", "-n", 1, "--think", "hide")
        self.assertEqual(shown.strip(), b"")
        self.assertIsNotNone(end)

    def test_logprobs(self):
        out = self.json(*self.base, "-p", "Hi", "-n", 3, "--temp", 0, "--repeat-penalty", 1, "--logprobs", 2, "--json")
        self.assertEqual([row["id"] for row in out["logprobs"]], out["ids"])
        for row in out["logprobs"]:
            self.assertEqual(len(row["top"]), 2)
            self.assertEqual(row["top"][0]["id"], row["id"])
            self.assertLessEqual(row["logprob"], 0)
        self.fails(2, *self.base, "-p", "Hi", "--logprobs", 2, says="--json")
        self.fails(2, *self.base, "-p", "Hi", "--logprobs", -1, "--json")

    def test_sampling_flags(self):
        common = (*self.base, "-p", "Hi", "-n", 4, "--json")
        for flags in (("--temp", 0), ("--temp", 1, "--top-k", 5, "--top-p", 0.9, "--min-p", 0.1, "--typical-p", 0.9),
                      ("--repeat-penalty", 1.3), ("--presence-penalty", -0.5, "--frequency-penalty", 0.5),
                      ("--logit-bias", "5=-inf"), ("--seed", 18446744073709551615)):
            self.json(*common, *flags)
        for flag, value in (("--temp", -1), ("--temp", "nan"), ("--temp", "warm"), ("--top-k", -1), ("--top-p", 2),
                            ("--min-p", -0.1), ("--typical-p", 0), ("--repeat-penalty", 0), ("--logit-bias", "x"),
                            ("--logit-bias", "9999=1"), ("--seed", -1), ("--stop", ""), ("-n", -2), ("-c", 0),
                            ("-c", 10**9), ("--threads", 0), ("--kv-type", "q3"), ("--think", "maybe"), ("--set", "x"),
                            ("--isa", "abacus")):
            self.fails(2, *common, flag, value)

    def test_limits(self):
        message = self.fails(4, *self.base, "-p", "Hi there", "-c", 4, "--json", says="-c")
        self.assertIn("context of 4", message)
        self.fails(4, *self.base, "-p", "Hi", "-c", 64, "-n", 64, says="64 new")
        self.assertEqual(self.json(*self.base, "-p", "Hi", "-c", 16, "--ignore-eos", "--json")["stop_reason"], "length")

    def test_flags_that_exclude_each_other(self):
        self.fails(2, *self.base, "--ids", "1", "-p", "x", says="--ids")
        self.fails(2, *self.base, "--raw", "--system", "x", "-p", "x", says="--raw")
        self.fails(2, *self.base, "--ids", "1,x", says="x")
        self.fails(2, *self.base, "--ids", "99999", says="99999")
        self.fails(2, *self.base, "--ids", "", says="empty")
        self.fails(2, *self.base, "--messages", "/none.json", says="/none.json")

    def test_gguf_and_kv_types(self):
        answers = [self.json("run", "-m", GGUF, "-p", "Hi", "-n", 6, "--temp", 0, "--json", "--kv-type", kind)["ids"]
                   for kind in ("i16", "f16", "f32", "q8_0")]
        self.assertTrue(all(answers))

    @staticmethod
    def catches_interrupts(pid):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
        return True

    def test_interrupt(self):
        # An answer that takes minutes: it must not end first, however late the signal is sent.
        process = subprocess.Popen([LFM, "run", "-m", DENSE, "-p", "Hi", "--ignore-eos", "--json", "-c", "100000", "-n", "99000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        end = time.time() + 60
        while time.time() < end and not self.catches_interrupts(process.pid):
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        if out:
            self.assertEqual(json.loads(out)["stop_reason"], "cancelled")


class Chat(Case):
    """The interactive chat on a pseudo-terminal."""

    def talk(self, lines, *args):
        import pty

        with tempfile.TemporaryDirectory() as home:
            pid, fd = pty.fork()
            if pid == 0:
                os.environ.update(HOME=home, XDG_STATE_HOME=home, TERM="xterm")
                os.execv(LFM, [LFM, "run", "-m", MODEL, "-n", "4", "--seed", "1", *args])
            out = b""

            def read(seconds):
                """What comes within the time; None at the end."""
                if not select.select([fd], [], [], seconds)[0]:
                    return b""
                try:
                    return os.read(fd, 4096) or None
                except OSError:
                    return None

            def until(mark, seconds=60):
                nonlocal out
                end, start = time.time() + seconds, len(out)
                while mark not in out[start:]:
                    if time.time() > end:
                        os.kill(pid, signal.SIGKILL)
                        self.fail(f"no {mark!r} in {out[start:]!r}")
                    chunk = read(1)
                    if chunk is None:
                        return
                    out += chunk
            until(b"> ")
            for line in lines:
                os.write(fd, line.encode() + b"\r")
                until(b"> ")
            # What is typed while the terminal changes between its modes can lose its Enter or Ctrl-D: they are pressed again.
            for i in range(60):
                os.write(fd, b"\x04" if i % 2 == 0 else b"\r")
                chunk = read(1)
                while chunk:
                    out += chunk
                    chunk = read(1)
                if chunk is None:
                    break
            else:
                os.kill(pid, signal.SIGKILL)
            os.close(fd)
            _, status = os.waitpid(pid, 0)
            history = pathlib.Path(home, "lfm/chat_history")
            return os.waitstatus_to_exitcode(status), out.decode(errors="replace"), history.exists()

    def test_commands(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/saved.json"
            code, out, history = self.talk(
                ["/help", "/stats", "/system Be brief.", "Hello", "/stats", "/undo", "Hi", f"/save {path}", "/none", "/reset", "/undo"])
            self.assertEqual(code, 0, out)
            self.assertIn("/system", out)
            self.assertIn("there is no answer yet", out)
            self.assertIn("% of the limit", out)
            self.assertIn("there is no command", out)
            self.assertIn("nothing to take back", out)
            self.assertTrue(history)
            saved = json.loads(pathlib.Path(path).read_text())
            self.assertEqual([m["role"] for m in saved], ["system", "user", "assistant"])
            self.assertEqual(saved[1]["content"], "Hi")


class Golden(Case):
    """Whole reference files through --jsonl, from the repository and from LFM_GOLDEN."""

    def roots(self):
        more = os.environ.get("LFM_GOLDEN") or DATA.parent.parent.parent / "shared/data/golden"
        return [root for root in (DATA, pathlib.Path(more)) if root.is_dir()]

    def compare(self, path, *args):
        lines = [line for line in path.read_bytes().split(b"\n") if line]
        out = self.ok(*args, "--jsonl", stdin=b"\n".join(lines), timeout=600).split(b"\n")
        self.assertEqual(len(out), len(lines) + 1)
        for line, answer in zip(lines, out):
            yield json.loads(line), json.loads(answer)

    def test_tokenizers(self):
        for root in self.roots():
            for folder in sorted((root / "tokenizer").glob("*/")):
                if (folder / "vectors.jsonl").exists():
                    for row, out in self.compare(folder / "vectors.jsonl", "tokenize", "-m", folder):
                        if row["tag"] not in ("unicode_new", "random_unicode"):
                            self.assertEqual(out.get("ids"), row["ids"], row)
                if (folder / "detokenize.jsonl").exists():
                    for row, out in self.compare(folder / "detokenize.jsonl", "detokenize", "-m", folder):
                        self.assertEqual(out.get("bytes"), row["bytes"], row)

    def test_chats(self):
        for root in self.roots():
            for chat in sorted((root / "chat").glob("*.jsonl")):
                templates = [root.parent / "templates", root / "templates", DATA / "templates"]
                template = next((t / f"{chat.stem}.jinja" for t in templates if (t / f"{chat.stem}.jinja").exists()), None)
                if template is None:
                    continue
                model = DENSE if chat.stem != "LFM2.5-8B-A1B" else MODEL
                for row, out in self.compare(chat, "render", "-m", model, "--template", template):
                    if row.get("error"):
                        self.assertIn("error", out, row["name"])
                    else:
                        self.assertEqual(out.get("text"), row["expected"], row["name"])


class Synth(Case):
    def test_bad_input(self):
        self.fails(2, "synth", "--like", "LFM2-350M", says="-o")
        with tempfile.TemporaryDirectory() as folder:
            self.fails(2, "synth", "--like", "Llama", "-o", f"{folder}/x.gguf", says="LFM2-350M")
            self.fails(2, "synth", "--like", "LFM2-350M", "--type", "q1", "-o", f"{folder}/x.gguf", says="q4_0")
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
