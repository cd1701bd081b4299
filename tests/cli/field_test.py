"""What real machines and files do to the program lfm: limits, odd outputs, foreign text, signals. Standard library only.

usage: field_test.py LFM DATA_DIR [unittest arguments]
"""
import hashlib
import http.server
import json
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

LFM = os.path.abspath(sys.argv[1])
DATA = pathlib.Path(sys.argv[2]).resolve()
DENSE = str(DATA / "models/tiny-lfm2")
GGUF = str(DATA / "gguf/mini-lfm2-moe-Q4_0.gguf")
DEMO = str(DATA / "../../models/lfm-demo.gguf")
RUN = ("run", "-m", DENSE, "-n", "2", "--temp", "0")


def lfm(*args, stdin=b"", env=None, limits=(), **kwargs):
    def limit():
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))
    return subprocess.run([LFM, *map(str, args)], input=stdin, capture_output=True, timeout=120,
                          env={**os.environ, **(env or {})}, preexec_fn=limit if limits else None, **kwargs)


def with_metadata(path, key, text, out):
    """A copy of a GGUF file with a string in place of another in its metadata."""
    data = pathlib.Path(path).read_bytes()
    at = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4
    (n,) = struct.unpack_from("<Q", data, at)
    grown = data[:at] + struct.pack("<Q", len(text)) + text + data[at + 8 + n:]
    # The data must begin at the same remainder: the text is chosen so by the caller.
    assert (len(grown) - len(data)) % 32 == 0
    pathlib.Path(out).write_bytes(grown)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def ok(self, *args, **kwargs):
        done = lfm(*args, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done

    def fails(self, code, *args, says="", **kwargs):
        done = lfm(*args, **kwargs)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{args}: {message}")
        self.assertTrue(message.startswith("lfm: error: ") and message.count("\n") == 1, message)
        self.assertIn(says, message)
        return message


class Limits(Case):
    def test_stacks_that_are_small(self):
        """`ulimit -s 64` makes every stack small, also those of threads; the longest prompts need the most."""
        (self.path / "rows.csv").write_text("text\nmy card is lost\n" + "I want a refund " * 60 + "\n")
        (self.path / "s.json").write_text('{"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-z]{3,40}$"}}}')
        for kib in (64, 128):
            limits = [(resource.RLIMIT_STACK, kib << 10)]
            self.ok("classify", "-m", DEMO, "--labels", "refund,card,other", self.path / "rows.csv", limits=limits)
            self.ok("run", "-m", DEMO, "-p", "word " * 300, "-n", 4, "--schema", self.path / "s.json", limits=limits)

    def test_a_templates_memory_is_what_is_there(self):
        (self.path / "m.json").write_text('[{"role": "user", "content": "Hi"}]')
        (self.path / "t.jinja").write_text("{% set ns = namespace(l=[]) %}{% for i in range(150) %}"
                                           "{% set ns.l = ns.l + ['x' * 400000] %}{% endfor %}{{ ns.l | length }}")
        command = ("render", "-m", DEMO, "--template", self.path / "t.jinja", "--messages", self.path / "m.json")
        self.assertEqual(self.ok(*command).stdout.strip(), b"150")
        self.fails(4, *command, says="the template needs more than the limit of", limits=[(resource.RLIMIT_AS, 130 << 20)])

    def test_threads_that_cannot_be_started(self):
        for mib in (36, 64, 128, 1024, 4096):
            done = lfm(*RUN, "-p", "Hi", "-t", 1024, limits=[(resource.RLIMIT_AS, mib << 20)])
            message = done.stderr.decode()
            self.assertIn(done.returncode, (0, 4), f"{mib} MiB: {done.returncode} {message}")
            self.assertIn("threads can be had" if done.returncode == 0 else "error", message)

    def test_memory_that_is_not_there(self):
        message = self.fails(4, "imatrix", "-m", GGUF, "-f", "-", "-c", 65536, "-o", self.path / "x", "-t", 1,
                             stdin=b"word " * 70000, limits=[(resource.RLIMIT_AS, 700 << 20)])
        self.assertIn("needs", message)
        self.assertEqual(os.listdir(self.path), [])
        self.fails(4, *RUN, "-p", "Hi", "-c", 100000, "-t", 1, says=" positions fit", limits=[(resource.RLIMIT_AS, 200 << 20)])


    def test_contexts_that_do_not_fit(self):
        limits = [(resource.RLIMIT_AS, 200 << 20)]
        self.fails(4, "bench", "-m", DENSE, "-p", 0, "-n", 1, "-d", 100000, "-b", 64, "-r", 1, "-t", 1, says="64 contexts of", limits=limits)
        self.fails(4, "perplexity", "-m", DENSE, "-f", "-", "-c", 100000, "-t", 1, says="positions", stdin=b"word " * 120000, limits=limits)

    def test_inputs_that_do_not_fit(self):
        """JSON takes many times its text; what is read doubles while it grows."""
        limits = [(resource.RLIMIT_AS, 160 << 20)]
        messages = self.path / "m.json"
        messages.write_text(json.dumps([{"role": "user", "content": "x"}] * 90000))
        self.fails(4, "render", "-m", DENSE, "--messages", messages, says="are free", limits=limits)
        self.fails(4, *RUN, stdin=b"word " * (20 << 20), says="standard input needs", limits=limits)
        words, one_word = b"word other " * 400000, b"x" * 4400000
        for args in (("tokenize", "-m", DENSE), RUN):
            self.fails(4, *args, stdin=one_word, limits=limits, says="reading standard input as tokens needs")
        # A document of millions of pieces is written as it comes.
        out = self.ok("tokenize", "-m", DENSE, "--json", stdin=words, limits=limits).stdout
        ids = json.loads(out)["ids"]
        self.assertEqual(len(ids), len(json.loads(out)["pieces"]))
        self.assertEqual(self.ok("tokenize", "-m", DENSE, stdin=words).stdout.split(), [str(i).encode() for i in ids])

    def test_servers_without_threads_or_memory(self):
        """The server and its ledger, log and workers each start threads: without them it is an error, never an abort."""
        for mib in (60, 100, 140, 180, 260):
            process = subprocess.Popen([LFM, "serve", "-m", GGUF, "--port", "0", "--ledger", str(self.path / "ledger"), "-t", "2"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                       preexec_fn=lambda size=mib << 20: resource.setrlimit(resource.RLIMIT_AS, (size, size)))
            served = select.select([process.stdout], [], [], 60)[0] and process.stdout.readline()
            if served:
                process.send_signal(signal.SIGTERM)
            _, message = process.communicate(timeout=60)
            self.assertIn(process.returncode, (0,) if served else (1, 2, 4), f"{mib} MiB: {message}")
            if not served:
                self.assertIn(b"lfm: error: ", message)


    def test_every_command_under_small_stacks(self):
        """What a command says of deep inputs does not depend on the stack that it was given."""
        def written(name, text):
            (self.path / name).write_text(text)
            return self.path / name
        schema = {"type": "string"}
        for _ in range(60):
            schema = {"type": "object", "properties": {"a": schema}}
        deep, document = written("deep.json", json.dumps(schema)), written("document", "[" * 150 + "]" * 150)
        template, lark = written("t.jinja", "{{ " + "(" * 90 + "1" + ")" * 90 + " }}"), written("g.lark", "start: " + "(" * 80 + '"a"' + ")" * 80)
        messages, rows = written("m.json", '[{"role": "user", "content": "Hi"}]'), written("rows.csv", "text,label\n" + "one,a\ntwo,b\n" * 6)
        routes, text = written("r.json", '{"routes": [{"name": "a"}, {"name": "b"}]}'), written("text", "word " * 300)
        for args in (("render", "-m", DENSE, "--messages", messages, "--template", template), (*RUN, "-p", "Hi", "--grammar", lark),
                     ("grammar", "check", "--schema", deep, "--json", document), ("grammar", "show", "--schema", deep),
                     ("parse", "[f(a=" + "[" * 90 + "]" * 90 + ")]"), ("info", GGUF, "--tensors"), ("tokenize", "-m", DENSE, "x " * 20000),
                     ("quantize", DENSE, "/dev/null", "--type", "q4_k_m"), ("convert", DENSE, "/dev/null"), ("pack", GGUF, "-o", "/dev/null"),
                     ("imatrix", "-m", DENSE, "-f", text, "-c", 64, "-o", "/dev/null"), ("perplexity", "-m", DENSE, "-f", text, "-c", 64),
                     ("route", "-m", DENSE, "--routes", routes, "Hi"), ("classify", "eval", "-m", DENSE, "--labels", "a,b", "--labelled", rows)):
            want, got = lfm(*args), lfm(*args, limits=[(resource.RLIMIT_STACK, 64 << 10)])
            self.assertEqual(got.returncode, want.returncode, f"{args}: {got.stderr}")

    def test_little_address_space(self):
        """A conversion in little memory ends with an exit code and one line of error."""
        out = self.path / "x.gguf"
        for command in (("convert", DENSE, out), ("quantize", DENSE, out, "--type", "q4_k_m")):
            for mib in (36, 40, 44, 48, 64):  # with less the loader of programs says so itself
                done = lfm(*command, limits=[(resource.RLIMIT_AS, mib << 20)])
                message = done.stderr.decode()
                self.assertIn(done.returncode, (0, 4), f"{command} {mib} MiB: {message}")
                if done.returncode == 4:
                    self.assertEqual(message.count("lfm: error: "), 1, message)
                    self.assertFalse(out.exists())
                out.unlink(missing_ok=True)


    def test_few_descriptors(self):
        """What cannot be opened is said, with the limit that is behind it, also where a library has words of its own."""
        rows = self.path / "rows.csv"
        rows.write_text("text\none\n")
        few = [(resource.RLIMIT_NOFILE, 4)]
        self.fails(1, "classify", "-m", DENSE, "--labels", "a,b", rows, limits=few, says="Too many open files; a limit (ulimit -n)")
        serve = ("serve", "-m", DENSE, "--port", "0", "--ledger", self.path / "ledger")
        self.fails(1, *serve, limits=few, says="(Too many open files); a limit (ulimit -n)")
        self.fails(1, *serve, limits=[(resource.RLIMIT_FSIZE, 0)], says="(File too large); a limit (ulimit -f)")
        # curl cannot start what looks up names.
        hub = {"HF_ENDPOINT": "http://nowhere.invalid", "HF_HOME": str(self.path / "hub"), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": ""}
        self.fails(1, "pull", "a/b", env=hub, limits=[(resource.RLIMIT_NOFILE, 5)], says="see the limits of ulimit -a")


class OtherProgramsWords(Case):
    def test_flags(self):
        for flags, says in ((("-ngl", "99"), "there is no flag -ngl: lfm computes on the CPU"), (("--ctx-size", "8"), "use -c N"),
                            (("-hf", "a/b"), "there is no flag -hf: -m takes"), (("-ctk", "q8_0"), "--kv-type"),
                            (("--top_k", "3"), "use --top-k"), (("--n-predict=3",), "use -n N"),
                            (("--chat-template", "chatml"), "--template FILE")):
            self.fails(2, *RUN, "-p", "Hi", *flags, says=says)
        # A value is a value, whatever it looks like; and an unknown flag stays one.
        self.ok(*RUN, "-p", "-ngl")
        self.fails(2, *RUN, "--nobody-knows", says="--nobody-knows")
        self.assertIn(b"Usage", self.ok("run", "-h").stdout)

    def test_commands(self):
        for word, meant in (("chat", "lfm run"), ("rnu", "lfm run"), ("quantise", "lfm quantize"), ("ls", "lfm list")):
            self.fails(2, word, says=f"perhaps {meant} is meant")
        self.fails(2, "xyzzyxyzzy", says="see lfm help")

    def test_values(self):
        self.fails(2, *RUN, "-p", "Hi", "--logit-bias", "5=inf", says="finite, or -inf")
        self.ok(*RUN, "-p", "Hi", "--logit-bias", "5=-inf")
        (self.path / "empty").write_text("")
        self.fails(2, *RUN, "-p", "Hi", "--template", self.path / "empty", says="is empty")


class Outputs(Case):
    def test_pipes_devices_and_links(self):
        pipe = self.path / "pipe"
        os.mkfifo(pipe)
        got = []
        reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
        reader.start()
        self.ok("quantize", DENSE, pipe, "--type", "q4_0")
        reader.join()
        self.assertTrue(pipe.is_fifo())
        file = self.path / "file.gguf"
        self.ok("quantize", DENSE, file, "--type", "q4_0")
        self.assertEqual(got[0], file.read_bytes())
        self.assertEqual(self.ok("quantize", DENSE, "/dev/stdout", "--type", "q4_0").stdout, got[0])
        link = self.path / "link"
        for target in ("/dev/null", str(file)):
            link.symlink_to(target)
            self.ok("quantize", DENSE, link, "--type", "q8_0")
            self.assertEqual(os.readlink(link), target)
            link.unlink()
        self.assertNotEqual(got[0], file.read_bytes())
        self.assertEqual(sorted(os.listdir(self.path)), ["file.gguf", "pipe"])
        for args in (("logits", "-m", DENSE, "--ids", "1,2", "-o", "/dev/null"), ("pack", GGUF, "-o", "/dev/null"),
                     ("imatrix", "-m", DENSE, "-f", "-", "-c", "8", "-o", "/dev/null"),
                     ("perplexity", "-m", DENSE, "-f", "-", "-c", "8", "--save-base", "/dev/null")):
            self.ok(*args, stdin=b"The quick brown fox jumps over the lazy dog. " * 9)
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())
        self.assertEqual(self.ok("pack", GGUF, "-o", "/dev/null").stdout, b"/dev/null\n")  # which has no size
        self.assertIsNone(json.loads(self.ok("pack", GGUF, "-o", "/dev/null", "--json").stdout)["bytes"])
        self.fails(1, "pack", GGUF, "-o", "/dev/full", says="No space left")

    def test_what_is_refused(self):
        link = self.path / "link"
        link.symlink_to("nowhere")
        self.fails(1, "quantize", DENSE, link, "--type", "q4_0", says="a link")
        self.fails(1, "quantize", DENSE, self.path, "--type", "q4_0", says="Is a directory")
        self.fails(1, "logits", "-m", DENSE, "--ids", "1", "-o", self.path / "none/x.npy", says="make the folder first")
        self.assertEqual(os.listdir(self.path), ["link"])

    def test_the_input_stays(self):
        file, link, hard = self.path / "m.gguf", self.path / "link", self.path / "hard"
        shutil.copyfile(GGUF, file)
        link.symlink_to(file)
        os.link(file, hard)
        for out in (file, link, hard):
            for args in (("quantize", file, out, "--type", "q8_0"), ("pack", file, "-o", out)):
                self.fails(2, *args, says="what is being read")
            # Weights that were rearranged are not mapped any more.
            self.fails(2, "logits", "-m", file, "--no-pack", "--ids", "1", "-o", out, says="what is being read")
            self.assertEqual(out.read_bytes(), pathlib.Path(GGUF).read_bytes())

    def test_standard_output_that_cannot_be_written(self):
        for args in (RUN + ("-p", "Hi"), ("info", DENSE), ("completion", "bash")):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([LFM, *args], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=120)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(b"No space left", done.stderr, args)

    def test_readers_that_have_gone(self):
        """A closed pipe ends the work, with an error and no signal."""
        for args in (("run", "-m", DENSE, "-p", "Hi", "-n", "100000", "--ignore-eos"), ("info", DENSE), ("help",)):
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run([LFM, *args], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, timeout=60)
            os.close(write)
            self.assertEqual(done.returncode, 1, args)
            self.assertEqual(done.stderr, b"lfm: error: cannot write to standard output: Broken pipe\n", args)

    def test_descriptors_that_do_not_wait(self):
        """As node and ssh leave them: what does not fit into the pipe now is written later."""
        want = self.ok("completion", "bash").stdout
        read, write = os.pipe()
        os.set_blocking(write, False)
        filler = b"x" * 4096
        try:
            while True:
                os.write(write, filler)
        except BlockingIOError:
            pass
        process = subprocess.Popen([LFM, "completion", "bash"], stdout=write)
        os.close(write)
        time.sleep(0.2)
        got = b""
        while piece := os.read(read, 1 << 16):
            got += piece
        os.close(read)
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertEqual(got.lstrip(b"x"), want)
        read, write = os.pipe()
        os.set_blocking(read, False)
        process = subprocess.Popen([LFM, "tokenize", "-m", DENSE], stdin=read, stdout=subprocess.PIPE)
        time.sleep(0.3)
        os.write(write, b"Hello world")
        os.close(write)
        self.assertEqual(process.communicate(timeout=60)[0], self.ok("tokenize", "-m", DENSE, "Hello world").stdout)
        os.close(read)

    def test_limits_of_size_and_time(self):
        limits = [(resource.RLIMIT_FSIZE, 4096)]
        for args in (("quantize", DENSE, self.path / "x", "--type", "q4_0"), ("convert", DENSE, self.path / "y.gguf"),
                     ("logits", "-m", DENSE, "--ids", "1,2", "-o", self.path / "z")):
            self.fails(1, *args, says="File too large", limits=limits)
        self.assertEqual(os.listdir(self.path), [])
        text = self.path / "text"
        text.write_text("word " * 60000)
        done = subprocess.run([LFM, "perplexity", "-m", GGUF, "-f", text, "-c", "20000", "-t", "1"], capture_output=True, timeout=60,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 9)))
        self.assertEqual((done.returncode, done.stderr), (4, b"lfm: error: the limit of CPU time is reached; see ulimit -t\n"))

    def test_predictions_that_cannot_begin(self):
        """Less than a header of kept predictions is of no use to anybody, and is no other program's file the next time."""
        save = ("perplexity", "-m", DENSE, "-f", "-", "-c", 8, "--save-base", self.path / "base")
        text = b"Sphinx of black quartz, judge my vow. " * 9
        for size in (0, 1, 39):
            self.fails(1, *save, stdin=text, limits=[(resource.RLIMIT_FSIZE, size)], says="File too large")
            self.assertEqual(os.listdir(self.path), [], size)
        link = self.path / "link"
        link.symlink_to("nowhere")
        self.fails(1, *save[:-1], link, stdin=text, says="a link to something that is not there")
        self.fails(1, "convert", GGUF, link, says="a link to something that is not there")
        self.assertEqual(os.listdir(self.path), ["link"])
        self.ok(*save, stdin=text)
        self.assertEqual(sorted(os.listdir(self.path)), ["base", "link"])

    def test_what_was_there_stays(self):
        text, out = self.path / "text", self.path / "out.gguf"
        text.write_text("Sphinx of black quartz, judge my vow. " * 40)
        kept = {"out.gguf.attempt": "mine", "out.gguf.base": "mine", "out.gguf.base.partial": "mine"}
        for name, content in kept.items():
            (self.path / name).write_text(content)
        self.ok("quantize", DENSE, out, "--target-kl", "9", "--file", text)
        self.assertTrue(out.exists())
        for name, content in kept.items():
            self.assertEqual((self.path / name).read_text(), content)
        (self.path / "saved.partial").write_text("mine")
        self.fails(2, "perplexity", "-m", DENSE, "-f", text, "-c", 16, "--save-base", self.path / "saved", says="saved.partial")
        self.assertEqual((self.path / "saved.partial").read_text(), "mine")

    def test_mount_points(self):
        """A file that is mounted where the output goes keeps its place and gets the content, also in a folder that is read-only."""
        if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
            self.skipTest("no mounts can be made here")
        good = self.path / "good.gguf"
        self.ok("quantize", DENSE, good, "--type", "q4_0")
        (self.path / "real").write_text("old")
        (self.path / "inside").mkdir()
        (self.path / "inside/out.gguf").write_text("shadow")
        for read_only in (False, True):
            script = f'''set -e
                mount --bind "{self.path}/real" "{self.path}/inside/out.gguf"
                if {str(read_only).lower()}; then
                  mount --bind "{self.path}/inside" "{self.path}/inside"; mount -o remount,ro,bind "{self.path}/inside"
                  mount --bind "{self.path}/real" "{self.path}/inside/out.gguf"
                fi
                "{LFM}" quantize "{DENSE}" "{self.path}/inside/out.gguf" --type q4_0'''
            (self.path / "real").write_text("old")
            done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual((self.path / "real").read_bytes(), good.read_bytes(), read_only)
            self.assertEqual((self.path / "inside/out.gguf").read_text(), "shadow")
            self.assertEqual(os.listdir(self.path / "inside"), ["out.gguf"])

    def test_says_what_it_wrote(self):
        for args in (("convert", DENSE, self.path / "a.gguf"), ("quantize", DENSE, self.path / "b.gguf", "--type", "q4_0"),
                     ("logits", "-m", DENSE, "--ids", "1", "-o", self.path / "c.npy")):
            done = self.ok(*args)
            self.assertIn("wrote", done.stderr.decode())


class Terminal(Case):
    FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

    def test_names_from_files(self):
        model = self.path / "m.gguf"
        data = pathlib.Path(GGUF).read_bytes()
        at = data.index(b"general.name") + len("general.name") + 4
        (n,) = struct.unpack_from("<Q", data, at)
        name = "demo\x1b]0;T\x07\x1b[31m\x9b\u202e\u2066\u0085".encode()
        name += b"x" * ((n - len(name)) % 32)
        with_metadata(GGUF, b"general.name", name, model)
        for args in (("info", model), ("info", model, "--tensors"), ("info", model, "--json"),
                     ("bench", "-m", model, "-p", "8", "-n", "0", "-r", "1", "-t", "1"), ("verify", "-m", model),
                     ("info", self.path / "no\x1b[31m\u202ething"), ("run", "-m", "a/b\x1b[31m", "-p", "x"),
                     ("run", "--\x1b[31m"), ("\x1b[31m",), ("rm", "\x1b[31m\x9b")):
            done = lfm(*args)
            for text in (done.stdout, done.stderr):
                self.assertIsNone(self.FORBIDDEN.search(text.decode()), f"{args}: {text!r}")

    def shown(self, *args, code=0):
        """What a command writes on a terminal."""
        import pty
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(LFM, [LFM, *map(str, args)], {**os.environ, "TERM": "xterm"})
        text, end = b"", time.time() + 60
        while time.time() < end:
            try:
                part = os.read(fd, 65536)
            except OSError:  # it has ended
                break
            text += part
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), code, text)
        os.close(fd)
        return text.decode().replace("\r\n", "\n").replace("\r\x1b[K", "")

    def test_rows_and_results(self):
        """What goes into a file as it is steers no terminal."""
        text = "A\x1b]0;T\x07\x1b[31m\u009b\u202e\u2066"
        (self.path / "rows.csv").write_text(f'text,{text}\n"{text}",{text}\n')
        (self.path / "in.jsonl").write_text(json.dumps({"custom_id": text, "method": "POST", "url": "/v1/completions",
                                                        "body": {"prompt": "Hi", "max_tokens": 1}}) + "\n")
        classify = ("classify", "-m", DENSE, "--labels", "a,b", self.path / "rows.csv")
        for args in (classify, (*classify, "-o", "/dev/stdout"), (*classify, "--format", "jsonl"), (*classify, "-o", "/dev/null", "--trace", "/dev/stdout"),
                     ("batch", "-m", DENSE, "--any-model", self.path / "in.jsonl", "/dev/stdout")):
            shown = self.shown(*args, code=2 if "jsonl" in args else 0)  # the table is no JSON
            self.assertIsNone(self.FORBIDDEN.search(shown), f"{args}: {shown!r}")
        self.assertIn(text.encode(), self.ok(*classify).stdout)

    def test_json_stays_json(self):
        def refuse(text):
            raise ValueError(text)
        done = self.ok("perplexity", "-m", DENSE, "-f", "-", "-c", 4, "--json", stdin=b"one two three")
        report = json.loads(done.stdout, parse_constant=refuse)
        self.assertGreater(report["tokens"], 0)
        if report["tokens"] == 1:
            self.assertIsNone(report["perplexity"]["interval95"])


class Words(Case):
    def test_prompts_from_pipes(self):
        ids = [json.loads(self.ok(*RUN, "--json", stdin=text).stdout)["prompt_ids"] for text in (b"Hi\r\n", b"Hi\n", b"Hi")]
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(ids[1], ids[2])
        for text in (b"", b"\n", b"\r\n"):
            self.fails(2, *RUN, stdin=text, says="there is no prompt")

    def test_grammars_that_cannot_be_held(self):
        """They are refused as what was asked for, with what to change; special tokens are known by the model."""
        moe = str(DATA / "models/tiny-lfm25-moe")
        def written(name, text):
            (self.path / name).write_text(text)
            return self.path / name
        ask = ("run", "-m", moe, "-n", "4", "-p", "Hi", "--temp", "0")
        self.fails(2, *ask, "--schema", written("cycle.json", '{"$ref": "#"}'), says="leads back to its own place")
        self.fails(2, *ask, "--choice", '["a"', says="--choice: ")
        tools = written("tools.json", '[{"name": "f", "parameters": {"$ref": "http://x"}}]')
        for choice in ("required", "f"):
            self.fails(2, *ask, "--tools", tools, "--tool-choice", choice, says="tool 'f'")
        self.assertIn(b"calls are not held", self.ok(*ask, "--tools", tools).stderr)
        grammar = written("grammar.lark", 'start: "a" <|im_end|> N\nN: /[0-9]+/ & ~"7"\n')
        def check(code, *args, says=b"", stdin=b"a"):
            done = lfm("grammar", "check", *args, stdin=stdin)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(says, done.stderr)
        check(2, "--grammar", grammar, says=b"refused: the grammar, line 1: the special token '<|im_end|>', which no vocabulary is known")
        check(0, "-m", moe, "--grammar", grammar, stdin=b"a<|im_end|>77")
        check(1, "-m", moe, "--grammar", grammar, stdin=b"a<|im_end|>7", says=b"not accepted")
        check(2, "-m", moe, "--grammar", written("text.lark", "start: <[100]>"), says=b"which the vocabulary does not have")
        out = self.ok("grammar", "check", "--jsonl", stdin=b'{"json": true, "documents": 5}').stdout
        self.assertIn(b'\\"documents\\" is no list', out)

    def test_other_encodings(self):
        """UTF-16 is said to be that, whatever is read; a byte order mark of UTF-8 is no part of the text."""
        def written(name, text, encoding):
            (self.path / name).write_bytes(text.encode(encoding))
            return self.path / name
        messages, schema = '[{"role": "user", "content": "Hi"}]', '{"type": "object"}'
        for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
            for flag, text in (("--messages", messages), ("--schema", schema), ("--template", "{{messages[0].content}}"), ("--grammar", 'root ::= "a"')):
                prompt = () if flag == "--messages" else ("-p", "Hi")
                self.fails(2, *RUN, *prompt, flag, written("x", text, encoding), says="is UTF-16")
            self.fails(2, *RUN, stdin="Hi".encode(encoding), says="standard input is UTF-16")
            self.fails(2, "serve", "-m", DENSE, "--port", "0", "--api-key-file", written("keys", "secret\n", encoding), says="is UTF-16")
        shutil.copytree(DENSE, self.path / "folder", ignore=shutil.ignore_patterns("reference"))
        config = (self.path / "folder/config.json").read_text()
        written("folder/config.json", config, "utf-16")
        self.fails(3, *RUN[:2], self.path / "folder", "-p", "Hi", says="is UTF-16")
        written("folder/config.json", config, "utf-8-sig")
        self.ok("run", "-m", self.path / "folder", "-p", "Hi", "-n", "1")
        ids = [json.loads(self.ok(*RUN, "--json", stdin=text).stdout)["prompt_ids"] for text in (b"Hi", b"\xef\xbb\xbfHi")]
        self.assertEqual(ids[0], ids[1])
        self.ok(*RUN, "--messages", written("m", messages, "utf-8-sig"))

    def test_errors_name_the_file(self):
        def written(name, text):
            (self.path / name).write_text(text)
            return self.path / name
        messages = written("good.json", '[{"role": "user", "content": "Hi"}]')
        broken, nameless = written("broken.jinja", "{% if %}"), written("nameless.json", '[{"type": "function"}]')
        no_role, schema, lark = written("role.json", '[{"content": 5}]'), written("s.json", '{"type": "x"}'), written("g.lark", "start: (")
        not_tool, short = written("not_tool.json", '[{"type": "function", "function": {"name": "f"}}, 5]'), written("short.txt", "a b")
        labels, chat, ids = written("labels.json", '{"labels": ["a", {"name": 3}]}'), written("c.jsonl", '{"messages": 5}\n'), written("ids", "1 x")
        ask = (*RUN, "-p", "Hi")
        for args, file in (((*ask, "--template", broken), broken), ((*RUN, "--messages", messages, "--template", broken), broken),
                           (("render", "-m", DENSE, "--messages", messages, "--template", broken), broken),
                           (("serve", "-m", DENSE, "--port", "0", "--ledger", "none", "--template", broken), broken),
                           (("render", "-m", DENSE, "--messages", no_role), no_role), ((*RUN, "--messages", no_role), no_role),
                           ((*ask, "--tools", nameless), nameless), ((*ask, "--tools", not_tool), not_tool),
                           (("perplexity", "-m", DENSE, "-f", short, "-c", "16"), short), ((*ask, "--schema", schema), schema), ((*ask, "--grammar", lark), lark),
                           (("classify", "-m", DENSE, "--labels", labels, messages), labels),
                           (("perplexity", "-m", DENSE, "--chat", chat), chat), (("logits", "-m", DENSE, "--ids", f"@{ids}", "-o", "/dev/null"), ids)):
            self.fails(2, *args, says=str(file))
        folder = self.path / "folder"
        shutil.copytree(DENSE, folder, ignore=shutil.ignore_patterns("reference"))
        (folder / "chat_template.jinja").write_text("{% if %}")
        for args in (("render", "-m", folder, "--messages", messages), ("run", "-m", folder, "-p", "Hi"),
                     ("classify", "-m", folder, "--labels", "a,b", messages)):  # no plain prompt in its place
            self.fails(2, *args, says=f"{folder}: chat template, line 1")
        (folder / "tokenizer_config.json").write_text("{")
        self.fails(3, "tokenize", "-m", folder, "x", says=f"{folder}/tokenizer_config.json: ")
        self.fails(2, "grammar", "bench", "-m", DENSE, self.path / "none", says="cannot be read: No such file")
        self.fails(2, "grammar", "bench", "-m", DENSE, folder / "x", says="cannot be read")

    def test_grammars_that_take_too_much_name_their_file(self):
        heavy = self.path / "heavy.gbnf"  # a class of characters that begins on one line and ends fifty lines on
        line = 'item ::= [a-z]+ ws "\\x41"? [^\\ " item)* | "-"\n'
        heavy.write_text('root ::= item (", " item)* | "-"\n' + line * 51 + 'item ::= [a-z]+ ws "\\x41"? [^\\]]{2,4}\nws ::= [ \\t]*\n')
        self.fails(4, *RUN, "-p", "Hi", "--grammar", heavy, says=f"--grammar {heavy}: the grammar takes more work than its budget allows")

    def test_tools_beside_a_schema(self):
        """As with the server: the answer is calls or what the schema says; where a call must come, calls alone."""
        moe = str(DATA / "models/tiny-lfm25-moe")
        tools, schema = self.path / "t.json", self.path / "s.json"
        tools.write_text('[{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}}]')
        schema.write_text('{"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"], "additionalProperties": false}')
        start = json.loads(self.ok("tokenize", "-m", moe, "--no-bos", "--json", "<|tool_call_start|>").stdout)["ids"]
        ask = ("run", "-m", moe, "-p", "Hi", "--temp", "0", "--json", "-n", "60", "--tools", tools, "--schema", schema, "--compact")
        self.assertEqual(len(start), 1)
        # Random weights: a bias says which of the two it is.
        called = json.loads(self.ok(*ask, "--logit-bias", f"{start[0]}=1000").stdout)
        self.assertTrue(called["tool_calls"])
        for call in called["tool_calls"]:
            self.assertEqual((call["name"], list(call["arguments"])), ("f", ["a"]))
        for flags in (("--logit-bias", f"{start[0]}=-1000"), ("--tool-choice", "none")):
            answered = json.loads(self.ok(*ask, *flags).stdout)
            self.assertIn(answered["content"] or answered["text"], ('{"b":true}', '{"b":false}'))
        self.assertTrue(json.loads(self.ok(*ask, "--tool-choice", "required").stdout)["tool_calls"])

    def test_forms_of_calls(self):
        rows = [{"text": "[f()]", "tools": ["f"], "format": form} for form in ("pythonic", "json", "none", None, "xml", 5)]
        done = self.ok("parse", "--jsonl", stdin="".join(json.dumps(row) + "\n" for row in rows).encode())
        out = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(all(row["calls"] for row in out[:4]))
        for row, value in ((out[4], "'xml'"), (out[5], "'5'")):
            self.assertIn(f'"format" is {value}; known are pythonic, json and none', row["error"])

    def test_a_batch_from_standard_input(self):
        row = {"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"prompt": "Hi", "max_tokens": 2, "temperature": 0}}
        text = (json.dumps(row) + "\n").encode()
        (self.path / "in").write_bytes(text)
        answers = []
        for name, stdin in (("in", b""), ("-", b"\xef\xbb\xbf" + text)):
            out = self.path / f"out{name}"
            self.ok("batch", "-m", DENSE, "--any-model", name if name == "-" else self.path / name, out, stdin=stdin)
            answers.append(json.loads(out.read_text())["response"]["body"]["choices"])
        self.assertEqual(answers[0], answers[1])
        self.fails(2, "batch", "-m", DENSE, "-", self.path / "x", stdin=b"{", says="standard input: line 1: ")

    def test_a_batch_keeps_its_prompts(self):
        requests, cache = self.path / "in.jsonl", self.path / "cache"
        body = {"messages": [{"role": "user", "content": "word " * 100}], "max_tokens": 1, "temperature": 0}
        requests.write_text(json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n")
        cached = []
        for out in ("a", "b"):
            self.ok("batch", "-m", DENSE, "--any-model", "--prefix-cache", cache, requests, self.path / out)
            answer = json.loads((self.path / out).read_text())["response"]["body"]
            cached.append(answer["usage"]["prompt_tokens_details"]["cached_tokens"])
        self.assertEqual(cached[0], 0)
        self.assertGreaterEqual(cached[1], 64)
        cache.write_bytes(cache.read_bytes()[:-9])
        done = self.ok("batch", "-m", DENSE, "--any-model", "--prefix-cache", cache, requests, self.path / "c")
        self.assertIn(b"warning: the prefix cache begins empty: " + str(cache).encode(), done.stderr)
        notes = self.path / "notes"
        notes.write_text("mine")
        self.fails(2, "batch", "-m", DENSE, "--any-model", "--prefix-cache", notes, requests, self.path / "d", says=f"{notes}: this is no prefix cache")
        self.assertEqual(notes.read_text(), "mine")

    def test_hints(self):
        self.fails(2, *RUN, "-p", "x", "--seed", "-1", says="without the flag")
        self.fails(2, *RUN, "-p", "x", "-c", "0", says="leave -c away")
        self.fails(2, *RUN, "-p", "x", "-n", "-2", says="-1")
        self.fails(2, *RUN, "-p", "x", "-t", "0", says="leave -t away")

    def test_files_that_are_not_what_they_seem(self):
        link = self.path / "m.gguf"
        link.symlink_to("gone.gguf")
        self.fails(3, "info", link, says="it is a link to gone.gguf")
        folder = self.path / "folder"
        for name in ("model.safetensors", "config.json", "tokenizer.json"):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(DENSE, folder, ignore=shutil.ignore_patterns("reference"))
            (folder / name).unlink()
            (folder / name).symlink_to("../blobs/gone")
            self.fails(3, "run", "-m", folder, "-p", "x", says=f"{name}: it is a link to ../blobs/gone")
        os.mkfifo(self.path / "pipe.gguf")
        self.fails(2, "info", self.path / "pipe.gguf", says="not a regular file")

    def test_adapters_and_dtypes(self):
        """What is no model, or of a type that is not read, is told as that."""
        folder = self.path / "folder"
        shutil.copytree(DENSE, folder, ignore=shutil.ignore_patterns("reference"))
        weights = (folder / "model.safetensors").read_bytes()
        (n,) = struct.unpack_from("<Q", weights)
        head = json.loads(weights[8:8 + n])
        for name in ("model.layers.0.feed_forward.w1.weight", "model.embed_tokens.weight"):
            text = json.dumps({**head, name: {**head[name], "dtype": "F8_E4M3"}}).encode()
            (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + weights[8 + n:])
            self.fails(3, "run", "-m", folder, "-p", "x", says="of dtype 'F8_E4M3'; lfm reads F32, F16 and BF16")
        (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text("{}")
        self.fails(3, "run", "-m", folder, "-p", "x", says="holds an adapter (LoRA) and no model; merge it")
        (folder / "config.json").unlink()
        self.fails(3, "run", "-m", folder, "-p", "x", says="holds an adapter (LoRA) and no model; merge it")

    def test_the_folder_that_we_are_in(self):
        for path in (".", "./", "../tiny-lfm2", f"{DENSE}/"):
            self.assertEqual(json.loads(self.ok("info", path, "--json", cwd=DENSE).stdout)["name"], "tiny-lfm2", path)
        self.assertEqual(json.loads(self.ok("info", "..", "--json", cwd=f"{DENSE}/reference").stdout)["name"], "tiny-lfm2")

    def test_damage_that_shows_in_computing(self):
        """Weights that are finite and make numbers that are not: the error names their file."""
        folder, text = self.path / "folder", self.path / "text"
        shutil.copytree(DENSE, folder, ignore=shutil.ignore_patterns("reference"))
        text.write_text("Sphinx of black quartz, judge my vow. " * 9)
        weights = bytearray((folder / "model.safetensors").read_bytes())
        (n,) = struct.unpack_from("<Q", weights)
        begin, end = json.loads(weights[8:8 + n])["model.layers.0.operator_norm.weight"]["data_offsets"]
        weights[8 + n + begin:8 + n + end] = b"\x7f\x7f" * ((end - begin) // 2)
        (folder / "model.safetensors").write_bytes(weights)
        for args in (("run", "-m", folder, "-p", "Hi", "-n", 2), ("logits", "-m", folder, "--ids", "1,2", "-o", "/dev/null"),
                     ("perplexity", "-m", folder, "-f", text, "-c", 8), ("imatrix", "-m", folder, "-f", text, "-c", 8, "-o", "/dev/null")):
            self.assertIn("not finite", self.fails(3, *args, says=f"{folder}: "))

    def test_folders_with_a_tokenizer_alone(self):
        folder = self.path / "folder"
        folder.mkdir()
        shutil.copyfile(f"{DENSE}/tokenizer.json", folder / "tokenizer.json")
        for model_type, says in (("qwen3", "model_type 'qwen3' is none of LFM2"), ("lfm2", "download the weights too")):
            (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
            self.ok("tokenize", "-m", folder, "Hi")
            for args in (("info", folder), ("run", "-m", folder, "-p", "x")):
                self.fails(3, *args, says=says)

    def test_continues_the_last_message(self):
        messages = self.path / "m.json"
        messages.write_text(json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "One two"}]))
        text = self.ok("render", "-m", DENSE, "--messages", messages, "--continue").stdout.decode()
        self.assertTrue(text.endswith("One two"), text)
        ids = json.loads(self.ok("render", "-m", DENSE, "--messages", messages, "--continue", "--ids", "--json").stdout)["ids"]
        for flags in ((), ("--continue",)):
            self.assertEqual(json.loads(self.ok(*RUN, "--messages", messages, "--json", *flags).stdout)["prompt_ids"], ids)
        self.fails(2, *RUN, "-p", "x", "--continue", says="--messages")

    def test_another_template(self):
        template = self.path / "t.jinja"
        template.write_text("{{bos_token}}[{{messages[0].content}}]")
        prompt = json.loads(self.ok(*RUN, "-p", "Hi", "--template", template, "--json").stdout)["prompt_ids"]
        text = self.ok("detokenize", "-m", DENSE, *prompt).stdout.decode()
        self.assertTrue(text.endswith("[Hi]"), text)


class Chat(Case):
    def folder_with(self, template):
        folder = self.path / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(DENSE, folder, ignore=shutil.ignore_patterns("reference", "chat_template.jinja"))
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config["chat_template"] = template
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return folder

    def test_the_template_for_tools_prepares_their_calls(self):
        """Calls are written out for a template that does not render them: the one that is used counts."""
        shows = "{{bos_token}}{% for m in messages %}<{{m.content}}>{% if m.tool_calls %}{{m.tool_calls[0].function.name}}!{% endif %}{% endfor %}"
        plain = "{{bos_token}}{% for m in messages %}<{{m.content}}>{% endfor %}"
        messages, tools = self.path / "m.json", self.path / "t.json"
        messages.write_text(json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": {"name": "look", "arguments": "{}"}}]}, {"role": "tool", "content": "1"}]))
        tools.write_text(json.dumps([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]))
        for default, with_tools, want in ((plain, shows, "<Hi><>look!<1>"), (shows, plain, "look()")):
            folder = self.folder_with([{"name": "default", "template": default}, {"name": "tool_use", "template": with_tools}])
            done = self.ok("run", "-m", folder, "--messages", messages, "--tools", tools, "-n", "1", "--temp", "0", "--json")
            text = self.ok("detokenize", "-m", folder, *json.loads(done.stdout)["prompt_ids"]).stdout.decode()
            self.assertIn(want, text)
            self.assertEqual("look!" in text, with_tools is shows, text)

    def test_perplexity_reads_what_run_reads(self):
        """Special tokens in what users and answers say stay text."""
        row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "one <|im_start|> two"}]}
        counts = {}
        for special in (False, True):
            chat = self.path / "chat.jsonl"
            chat.write_text(json.dumps({**row, "parse_special": special}) + "\n")
            counts[special] = json.loads(self.ok("perplexity", "-m", DENSE, "--chat", chat, "--json").stdout)["tokens"]
        self.assertGreater(counts[False], counts[True])


class Signals(Case):
    @staticmethod
    def is_armed(pid):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
        return False

    def test_commands_that_wait_end(self):
        """Commands that read what comes end too, with the same exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for args in (("tokenize", "-m", DENSE), ("render", "-m", DENSE, "--messages", "-"), ("detokenize", "-m", DENSE, "--jsonl")):
                process = subprocess.Popen([LFM, *args], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                end = time.time() + 60
                while not self.is_armed(process.pid) and time.time() < end:
                    time.sleep(0.02)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60), 130, args)
                self.assertIn(b"interrupted", process.stderr.read())
                process.stdin.close()
                process.stderr.close()

    def test_long_work_ends(self):
        text = self.path / "text"
        text.write_text("word " * 400_000)  # minutes of work: none may end first, however late the signal is sent
        out = str(self.path / "out")
        for number, args in ((signal.SIGINT, ("imatrix", "-m", GGUF, "-f", text, "-c", "20000", "-o", out)),
                             (signal.SIGTERM, ("perplexity", "-m", GGUF, "-f", text, "-c", "20000")),
                             (signal.SIGINT, ("synth", "--like", "LFM2-24B-A2B", "--type", "q8_0", "-o", out)),
                             (signal.SIGHUP, ("bench", "-m", GGUF, "-p", "20000", "--chunk", "4096", "-n", "0", "-r", "999"))):
            process = subprocess.Popen([LFM, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            end = time.time() + 60
            while not self.is_armed(process.pid) and time.time() < end:
                time.sleep(0.02)
            time.sleep(0.5)
            process.send_signal(number)
            _, message = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, f"{args}: {message}")
            self.assertEqual(sorted(os.listdir(self.path)), ["text"], args)


class Typed(Case):
    def chat(self, lines, environment):
        import pty
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(LFM, [LFM, "run", "-m", DENSE, "-n", "2"], {"HOME": str(self.path), "TERM": "xterm", **environment})
        shown = b""

        def until(mark):
            nonlocal shown
            end, seen = time.time() + 60, b""
            while mark not in seen and time.time() < end:
                if select.select([fd], [], [], 0.2)[0]:
                    try:
                        seen += os.read(fd, 65536)
                    except OSError:
                        break
            shown += seen
        until(b"> ")
        for line in lines:
            os.write(fd, line + b"\r")
            until(b"> ")
        os.write(fd, b"/exit\r")
        end = time.time() + 60
        while (ended := os.waitpid(pid, os.WNOHANG)[0]) == 0 and time.time() < end:
            try:
                if select.select([fd], [], [], 0.2)[0]:
                    os.read(fd, 65536)
            except OSError:
                pass
        self.assertEqual(ended, pid, shown)  # so all that was asked is done, however early its answer seemed to be there
        os.close(fd)
        return shown

    def test_bytes_typed_are_bytes_read(self):
        line = "Grüße 漢字 🙂 ok".encode()
        for environment in ({}, {"LC_ALL": "C"}, {"LANG": "de_DE.ISO-8859-1"}, {"LC_ALL": "C.UTF-8"}):
            saved = self.path / "saved.json"
            saved.unlink(missing_ok=True)
            self.chat([line, b"/save ~/saved.json"], environment)
            self.assertEqual(json.loads(saved.read_bytes())[0]["content"].encode(), line, environment)

    def test_tabs_stay(self):
        self.chat(["a\tb\t/et\tü".encode(), b"/save ~/saved.json"], {})
        self.assertEqual(json.loads((self.path / "saved.json").read_bytes())[0]["content"], "a\tb\t/et\tü")

    def test_pasted_marks(self):
        """What a terminal puts around a paste is no text; line ends and control characters within it are."""
        self.chat([b"a \x1b[200~two\rlines\x01,\tU\xc3\xbc\x1b[201~ b", b"/save ~/saved.json"], {})
        self.assertEqual(json.loads((self.path / "saved.json").read_bytes())[0]["content"], "a two\nlines\x01,\tUü b")

    def test_under_a_shell(self):
        """While the chat is stopped the terminal is as it was; afterwards, after Ctrl-C and in a window of another size
        the line goes on as it was; SIGTERM ends the chat at once."""
        import fcntl
        import pty
        import struct
        import termios
        pid, fd = pty.fork()
        if pid == 0:
            os.execvpe("dash", ["dash", "-i"], {"HOME": str(self.path), "PATH": os.environ["PATH"], "PS1": "$ ", "TERM": "xterm"})
        edits = lambda: not termios.tcgetattr(fd)[3] & termios.ICANON

        def put(typed, mark, editing):
            os.write(fd, typed)
            end, seen = time.time() + 60, b""
            while (mark not in seen or edits() != editing) and time.time() < end:
                if select.select([fd], [], [], 0.05)[0]:
                    seen += os.read(fd, 65536)
            self.assertIn(mark, seen)
            self.assertEqual(edits(), editing, seen)

        put(f"exec 2>&1; {LFM} run -m {DENSE} -n 2\r".encode(), b"\n> ", True)
        put(b"abx", b"abx", True)
        for _ in range(2):
            put(b"\x1a", b"topped", False)
            put(b"fg\r", b"> abx", True)
        put(b"\x7fc", b"c", True)
        put(b"\x03", b"> abc", True)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
        put(b"", b"> abc", True)
        put(b"dx", b"dx", True)
        put(b"\x7fe\r", b"\r\n> ", True)
        put(b"/save ~/saved.json\r", b"\r\n> ", True)
        end = time.time() + 60
        while not (self.path / "saved.json").exists() and time.time() < end:
            time.sleep(0.05)
        self.assertEqual(json.loads((self.path / "saved.json").read_bytes())[0]["content"], "abcde")
        put(b"\x1a", b"topped", False)
        put(b"kill %1; fg; echo code $?\r", b"\ncode 130", False)
        os.close(fd)  # the shell hears that its terminal is gone
        os.waitpid(pid, 0)

    def test_load(self):
        (self.path / "talk.json").write_text(json.dumps([{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]))
        shown = self.chat([b"/load ~/talk.json", b"/load ~/none", b"C", b"/save ~/saved.json"], {"LC_ALL": "C.UTF-8"})
        self.assertIn(b"loaded 2 messages", shown)
        self.assertIn(b"not loaded", shown)
        saved = json.loads((self.path / "saved.json").read_text())
        self.assertEqual([m["content"] for m in saved[:3]], ["A", "B", "C"])


class HubServer:
    """The part of a hub's protocol that a pull needs, over one repository's files. Counts what it sends of each."""

    def __init__(self, files):
        outer, self.sent, commit = self, dict.fromkeys(files, 0), "0123456789abcdef0123456789abcdef01234567"

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                path, status, extra = self.path.split("?")[0], 200, {}
                name = path.rsplit("/", 1)[-1]
                if "/revision/" in path:
                    body = json.dumps({"sha": commit}).encode()
                elif "/tree/" in path:
                    body = json.dumps([{"type": "file", "path": name, "size": len(data), "oid": "0" * 40, "lfs": {
                        "size": len(data), "oid": hashlib.sha256(data).hexdigest()}} for name, data in files.items()]).encode()
                elif name in files:
                    body, asked = files[name], re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
                    if asked:
                        first, last = int(asked[1]), min(int(asked[2]), len(body) - 1)
                        status, extra = 206, {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
                        body = body[first:last + 1]
                    outer.sent[name] += len(body)
                else:
                    status, body = 404, b""
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **extra}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Hub(Case):
    def test_what_cannot_run_is_said_before_it_is_fetched(self):
        data = pathlib.Path(GGUF).read_bytes()
        padding = bytes(2 << 20)  # so that the file is longer than what is looked at
        foreign = data.replace(b"lfm2moe", b"qwen3xx") + padding
        at = data.index(b"token_embd_norm.weight") + len("token_embd_norm.weight") + 4 + 8
        self.assertEqual(struct.unpack_from("<I", data, at), (0,))
        nvfp4 = data[:at] + struct.pack("<I", 40) + data[at + 4:] + padding
        for name, bad, says in (("foreign-Q4_0.gguf", foreign, "qwen3xx"), ("other-Q4_0.gguf", nvfp4, "NVFP4")):
            hub = HubServer({name: bad})
            self.addCleanup(hub.close)
            env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(self.path / name), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_TOKEN": ""}
            done = lfm("pull", "a/b:Q4_0", env=env)
            message = done.stderr.decode()
            self.assertEqual(done.returncode, 3, message)
            for part in (says, "not fetched"):
                self.assertIn(part, message)
            self.assertLess(hub.sent[name], len(bad))
            self.assertEqual([f for f in (self.path / name).rglob("*") if f.is_file() and f.stat().st_size > 1000], [])
        for content in (b"", b"GG", b"<html>" * 500, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"):
            hub = HubServer({"page-Q4_0.gguf": content})
            self.addCleanup(hub.close)
            env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(self.path / "page"), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_TOKEN": ""}
            self.assertIn("a/b/page-Q4_0.gguf", lfm("pull", "a/b:Q4_0", env=env).stderr.decode().splitlines()[-1])
            self.assertEqual(lfm("pull", "a/b:Q4_0", env=env).returncode, 3, content)
        hub = HubServer({"good-Q4_0.gguf": data})
        self.addCleanup(hub.close)
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(self.path / "good"), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_TOKEN": ""}
        path = self.ok("pull", "a/b:Q4_0", env=env).stdout.decode().strip()
        self.assertEqual(pathlib.Path(path).read_bytes(), data)
        hub = HubServer({"LOUD-Q4_0.GGUF": data, "README.md": b"x"})
        self.addCleanup(hub.close)
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(self.path / "loud"), "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_TOKEN": ""}
        path = self.ok("pull", "a/b", env=env).stdout.decode().strip()
        self.assertEqual(pathlib.Path(path).read_bytes(), data)
        self.assertIn(b"a/b:Q4_0", self.ok("list", env=env).stdout)
        self.ok("info", "a/b", env={**env, "HF_HUB_OFFLINE": "1"})

    def test_home_with_variables(self):
        commit = "0123456789abcdef0123456789abcdef01234567"
        snapshot = self.path / "x/hub/models--a--b/snapshots" / commit
        snapshot.mkdir(parents=True)
        (self.path / "x/hub/models--a--b/refs").mkdir()
        (self.path / "x/hub/models--a--b/refs/main").write_text(commit)
        shutil.copyfile(GGUF, snapshot / "x-Q8_0.gguf")
        for home in ("$HOME/x", "${HOME}/x", "~/x"):
            out = self.ok("list", env={"HOME": str(self.path), "HF_HOME": home, "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": ""})
            self.assertIn(b"a/b:Q8_0", out.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
