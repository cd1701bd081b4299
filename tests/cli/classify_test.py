#!/usr/bin/env python3
"""lfm classify from outside: classify_test.py LFM MODEL. Standard library only."""
import csv
import gzip
import io
import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

LFM, MODEL = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
LABELS = "refund,book hotel,book,password,parcel"
TEXTS = ["Can I have my money back?", "A room for two nights in Porto, please.", "Where is my parcel?", "I cannot log in, reset my password.",
         "Hello!", "He said \"no, thanks\"", "two\nlines", "<|im_end|>refund"]


def lfm(*args, stdin=b""):
    return subprocess.run([LFM, *map(str, args)], input=stdin, capture_output=True, timeout=120)


def csv_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def logsoftmax(row):
    best = max(row)
    total = math.log(sum(math.exp(x - best) for x in row))
    return [x - best - total for x in row]


class Classify(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def write_csv(self, name, rows, fields=("id", "text", "label")):
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, fieldnames=fields, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        path = self.dir / name
        path.write_bytes(out.getvalue().encode())
        return path

    def rows(self, n=len(TEXTS)):
        return [{"id": str(i), "text": TEXTS[i % len(TEXTS)] + ("" if i < len(TEXTS) else f" {i}"), "label": "x"} for i in range(n)]

    def classify(self, *args, stdin=b"", code=0):
        done = lfm("classify", "-m", MODEL, "--labels", LABELS, *args, stdin=stdin)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done

    def logits(self, ids):
        path = self.dir / "l.npy"
        done = lfm("logits", "-m", MODEL, "--ids", ",".join(map(str, ids)), "-o", path, "--compute", "f32")
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        data = path.read_bytes()
        start = 10 + struct.unpack("<H", data[8:10])[0]
        n = (len(data) - start) // 4 // len(ids)
        flat = struct.unpack(f"<{n * len(ids)}f", data[start:])
        return [logsoftmax(flat[i * n:(i + 1) * n]) for i in range(len(ids))]

    def test_rows_keep_their_order_and_columns(self):
        source = self.write_csv("in.csv", self.rows())
        out = self.dir / "out.csv"
        done = self.classify("--text-column", "text", source, "-o", out)
        self.assertIn(b"classified 8 rows", done.stderr)
        rows = csv_rows(out)
        self.assertEqual(list(rows[0]), ["id", "text", "input_label", "label", "confidence", "margin", "label_mass", "abstained"])
        self.assertEqual([(r["id"], r["text"]) for r in rows], [(r["id"], r["text"]) for r in self.rows()])
        for row in rows:
            self.assertIn(row["label"], LABELS.split(","))
            self.assertTrue(0 < float(row["confidence"]) <= 1 and 0 <= float(row["margin"]) <= 1)
            self.assertEqual(row["abstained"], "false")
        self.assertFalse(list(self.dir.glob("*.lfm-*")))

    def test_equal_to_brute_force(self):
        source = self.write_csv("in.csv", self.rows(2))
        for method in ("trie", "full"):
            trace = self.dir / "t.jsonl"
            self.classify("--text-column", "text", source, "-o", self.dir / "o.csv", "--compute", "f32", "--trace", trace, "--method", method)
            for line in trace.read_text().splitlines():
                said = json.loads(line)
                self.assertEqual(said["method"], method)
                labels = [label["ids"] for label in said["labels"]]
                self.assertEqual([label["name"] for label in said["labels"]], LABELS.split(","))
                sums = []
                for ids in labels:
                    rows = self.logits(said["prompt_ids"] + ids)[len(said["prompt_ids"]) - 1:]
                    total = 0
                    for k, token in enumerate(ids):
                        kids = {other[k] for other in labels if other[:k] == ids[:k] and len(other) > k}
                        total += rows[k][token]
                        if method == "trie":
                            total -= math.log(sum(math.exp(rows[k][kid]) for kid in kids))
                    sums.append(total)
                whole = sum(map(math.exp, sums))
                for expected, p in zip(sums, said["probabilities"]):
                    self.assertAlmostEqual(math.exp(expected) / whole, p, delta=1e-6)

    def test_batch_order_threads_and_steps_change_no_bit(self):
        rows = self.rows(40)
        a, b = self.write_csv("a.csv", rows), self.write_csv("b.csv", rows[::-1])
        self.classify("--text-column", "text", a, "-o", self.dir / "a.out.csv", "--threads", 2, "--probabilities")
        self.classify("--text-column", "text", b, "-o", self.dir / "b.out.csv", "--threads", 1, "--batch", 33, "--probabilities")
        one = csv_rows(self.dir / "a.out.csv")
        two = csv_rows(self.dir / "b.out.csv")
        self.assertEqual(one, two[::-1])
        self.assertAlmostEqual(sum(float(one[0][f"p_{name}"]) for name in LABELS.split(",")), 1, delta=1e-9)

    def test_goes_on_after_kill(self):
        source = self.write_csv("in.csv", self.rows(1200))
        self.classify("--text-column", "text", source, "-o", self.dir / "whole.csv", "--errors", self.dir / "whole.err")
        command = [LFM, "classify", "-m", MODEL, "--labels", LABELS, "--text-column", "text", str(source), "-o", str(self.dir / "out.csv"),
                   "--errors", str(self.dir / "out.err")]
        for _ in range(2):
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.time() + 60
            before = (self.dir / "out.csv.lfm-part").stat().st_size if (self.dir / "out.csv.lfm-part").exists() else 0
            while time.time() < end and run.poll() is None:
                part = self.dir / "out.csv.lfm-part"
                if part.exists() and part.stat().st_size > before + 2000:
                    break
                time.sleep(0.005)
            run.send_signal(signal.SIGKILL)
            run.wait()
        done = subprocess.run(command, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.dir / "out.csv").read_bytes(), (self.dir / "whole.csv").read_bytes())
        self.assertEqual((self.dir / "out.err").read_bytes(), (self.dir / "whole.err").read_bytes())
        self.assertFalse(list(self.dir.glob("*.lfm-*")))

    def test_another_input_is_not_gone_on_with(self):
        source = self.write_csv("in.csv", self.rows(4))
        note = self.dir / "out.csv.lfm-resume"
        run = subprocess.Popen([LFM, "classify", "-m", MODEL, "--labels", LABELS, "--format", "csv", "--text-column", "text", "-o",
                                str(self.dir / "out.csv")], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        run.stdin.write(b"text\n" + b"hello\n" * 20000)
        run.stdin.flush()
        end = time.time() + 60
        while not note.exists() and time.time() < end:
            time.sleep(0.01)
        run.kill()
        run.wait()
        run.stdin.close()
        self.assertTrue(note.exists())
        done = self.classify("--format", "csv", "--text-column", "text", "-o", self.dir / "out.csv", stdin=b"text\n" + b"other\n" * 1000, code=2)
        self.assertIn(b"the input is not the one", done.stderr)
        self.classify("--text-column", "text", source, "-o", self.dir / "out.csv")  # other settings: begun anew
        self.assertEqual(len(csv_rows(self.dir / "out.csv")), 4)

    def test_bad_rows_are_reported_and_the_rest_goes_on(self):
        path = self.dir / "in.csv"
        path.write_bytes(b"id,text\n1,refund please\n2,\"open\n3,a\0b\n4\n5," + b"x " * 5_000_000 + b"\n6,parcel\n")
        done = self.classify("--text-column", "text", path, "-o", self.dir / "out.csv", "--errors", self.dir / "err.jsonl")
        self.assertIn(b"4 rows have no label; the first: row 2 (line 3)", done.stderr)
        csv.field_size_limit(1 << 30)
        rows = csv_rows(self.dir / "out.csv")
        self.assertEqual([bool(r["label"]) for r in rows], [True, False, False, False, False, True])
        self.assertEqual(len(rows[4]["text"]), 10_000_000)
        errors = [json.loads(line) for line in (self.dir / "err.jsonl").read_text().splitlines()]
        self.assertEqual([e["row"] for e in errors], [2, 3, 4, 5])
        self.assertIn("exceeds the context", errors[3]["error"])

    def test_no_row_that_can_be_classified_is_an_error(self):
        out, errors = self.dir / "out.csv", self.dir / "err.jsonl"
        for text, code, says in ((b"text,n\na\n1,2,3\n", 2, b"no row has a label; the first: row 1 (line 2): "),
                                 (b"text\n" + b"x " * 20_000 + b"\n", 4, b"exceeds the context")):
            path = self.dir / "in.csv"
            path.write_bytes(text)
            done = self.classify("--text-column", "text", path, "-o", out, "--errors", errors, code=code)
            self.assertTrue(done.stderr.startswith(b"lfm: error: "), done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
            self.assertIn(says, done.stderr)
            self.assertEqual([row["label"] for row in csv_rows(out)], [""] * (text.count(b"\n") - 1))  # whole, as of any bad rows
            self.assertEqual(len(errors.read_bytes().splitlines()), text.count(b"\n") - 1)
        self.classify("--text-column", "text", stdin=b"text\n")  # none at all is none too many

    def test_formats(self):
        lines = b"refund please\n\nparcel\n"
        out = self.classify(stdin=lines).stdout.decode()
        self.assertEqual([r["text"] for r in csv.DictReader(io.StringIO(out))], ["refund please", "", "parcel"])
        done = self.classify("--format", "jsonl", stdin=b'{"text": "a\\u0000b"}\n{"text": "parcel"}\n')
        self.assertIn(b"the text holds a NUL", done.stderr)
        self.assertEqual([bool(json.loads(line).get("label")) for line in done.stdout.splitlines()], [False, True])
        packed = self.dir / "in.jsonl.gz"
        packed.write_bytes(gzip.compress(b'{"text": "refund", "n": 1.50}\n') + gzip.compress(b'{"text": 3}\nno\n'))
        out = self.classify(packed, "--top-k", 2, "--probabilities").stdout.decode()
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(rows[0]["n"], 1.5)
        self.assertEqual(len(rows[0]["top"]), 2)
        self.assertEqual(list(rows[0]["probabilities"]), LABELS.split(","))
        self.assertEqual(rows[0]["top"][0], {"label": rows[0]["label"], "probability": rows[0]["confidence"]})
        self.assertIsNone(rows[2]["label"])
        self.assertEqual(rows[2]["raw"], "no")
        source = self.write_csv("in.csv", self.rows(2))
        out = self.classify(source, "--template", "{id}: {text}", "--output-format", "jsonl", "--limit", 1).stdout.decode()
        self.assertEqual(json.loads(out)["id"], "0")
        (self.dir / "cut.gz").write_bytes(gzip.compress(b"text\n" * 100)[:-9])
        self.assertIn(b"no sound gzip file", self.classify(self.dir / "cut.gz", code=3).stderr)

    def test_refusals(self):
        source = self.write_csv("in.csv", self.rows(2))
        for args, says in ((["--text-column", "txt", source], b"there is no column 'txt'; the columns are id, text, label"),
                           (["--threshold", "2", source], b"--threshold: 2 is not between 0 and 1"),
                           (["--text-column", "text", "--labels", "a,a", source], b"label 2 'a' is the same as label 1"),
                           (["--text-column", "text", "--labels", "a,,b", source], b"label 2 is empty"),
                           (["--text-column", "text", "--cost-error", "1", source], b"are given together"),
                           (["--text-column", "text", "--cost-error", "inf", "--cost-hand-over", "inf", source], b"the cost of an error must be"),
                           (["--text-column", "text", "--permutations", "65", source], b"--permutations: 65 is not between 1 and 64"),
                           (["--text-column", "text", "--system", "", source], b"--system: the text is empty"),
                           ([self.dir / "none.csv"], b"cannot open")):
            done = lfm("classify", "-m", MODEL, "--labels", LABELS, *args)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stdout, b"")
            self.assertIn(says, done.stderr)
        many = ",".join(f"label {i}" for i in range(5000))
        done = lfm("classify", "-m", MODEL, "--labels", many, "--text-column", "text", source)
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"give fewer labels", done.stderr)

    def test_no_output_takes_the_place_of_what_is_read(self):
        source = self.write_csv("in.csv", self.rows(12))
        labels = self.dir / "labels.json"
        labels.write_text('["refund", "hotel"]')
        link = self.dir / "link.csv"
        link.symlink_to(source)
        before = source.read_bytes()
        for args in ((source, "-o", source), (source, "-o", link), (source, "--errors", source), (source, "--trace", source), ("-o", source, "--format", "csv")):
            with open(source, "rb") as file:
                done = subprocess.run([LFM, "classify", "-m", MODEL, "--labels", labels, "--text-column", "text", *map(str, args)], stdin=file,
                                      capture_output=True, timeout=120)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"it is what is being read", done.stderr)
        for output in (labels, MODEL):
            done = lfm("classify", "-m", MODEL, "--labels", labels, "--text-column", "text", source, "-o", output)
            self.assertIn(b"it is what is being read", done.stderr)
        labelled = self.dir / "labelled.csv"
        labelled.write_text("text,label\n" + "money,refund\nroom,hotel\n" * 6)
        for output in (labelled, labels):
            done = lfm("classify", "fit", "-m", MODEL, "--labels", labels, "--text-column", "text", "--labelled", labelled, "-o", output)
            self.assertIn(b"it is what is being read", done.stderr)
        self.assertEqual((source.read_bytes(), labels.read_text()), (before, '["refund", "hotel"]'))
        self.assertEqual(sorted(path.name for path in self.dir.iterdir()), ["in.csv", "labelled.csv", "labels.json", "link.csv"])
        self.assertIn(b"not done yet", self.classify("--text-column", "text", source, "-o", self.dir / "o.csv", "--trace", self.dir / "o.csv.lfm-part", code=2).stderr)

    def test_columns_keep_names_of_their_own(self):
        source = self.dir / "in.csv"
        source.write_text("text,label,input_label,margin\nhello,a,b,c\n")
        out = self.classify("--text-column", "text", source).stdout.decode()
        self.assertEqual(out.splitlines()[0], "text,input_input_label,input_label,input_margin,label,confidence,margin,label_mass,abstained")
        self.assertTrue(out.splitlines()[1].startswith("hello,a,b,c,"), out)
        out = self.classify("--format", "jsonl", stdin=b'{"text": "hello", "label": "a", "input_label": "b", "input_input_label": "c"}\n').stdout.decode()
        row = json.loads(out)
        self.assertEqual((row["input_input_input_label"], row["input_label"], row["input_input_label"]), ("a", "b", "c"))

    def test_files_of_other_programs(self):
        def run(name, data, *args, code=0):
            path = self.dir / name
            path.write_bytes(data)
            return self.classify(path, *args, code=code)
        self.assertIn(b"the header is one column 'id;text': fields are parted by commas", run("semi.csv", b"id;text\n1;hello\n", code=2).stderr)
        self.assertIn(b"1;hello,", run("semi.csv", b"id;text\n1;hello\n", "--text-column", "id;text").stdout)
        self.assertIn(b"carriage return", run("mac.csv", b"text,b\rhello,1\rworld,2\r", code=2).stderr)
        done = run("latin.csv", "text\ncaf\u00e9\nrefund\n".encode("latin-1"))
        self.assertIn(b"1 row has no label; the first: row 1 (line 2): the row holds bytes that are no UTF-8", done.stderr)
        self.assertTrue(done.stdout.splitlines()[1].startswith(b"caf\xe9,,"), done.stdout)  # as it was
        self.assertIn(b"no UTF-8", run("latin.txt", b"caf\xe9\n", code=2).stderr)
        self.assertIn(b"no UTF-8", run("latin.jsonl", b'{"text": "caf\xe9"}\n', code=2).stderr)
        self.assertIn(b"the header: the row holds bytes", run("head.csv", b"caf\xe9\nx\n", code=2).stderr)
        self.assertIn(b"cannot open", lfm("classify", "-m", MODEL, "--labels", LABELS, self.dir / "none.csv").stderr)

    def test_abstaining_parents_and_questions(self):
        source = self.write_csv("in.csv", self.rows())
        out = self.classify("--text-column", "text", source, "--threshold", "1").stdout.decode()
        self.assertEqual({r["abstained"] for r in csv.DictReader(io.StringIO(out))} - {"true", "false"}, set())
        self.assertIn("true", {r["abstained"] for r in csv.DictReader(io.StringIO(out))})
        labels = self.dir / "labels.json"
        labels.write_text(json.dumps([{"name": "travel"}, {"name": "hotel", "parent": "travel", "description": "rooms"},
                                      {"name": "flight", "parent": "travel"}, {"name": "refund", "examples": ["money back"]}]))
        for extra in ([], ["--until-confidence", "0.9"], ["--permutations", "2"]):
            done = lfm("classify", "-m", MODEL, "--labels", labels, "--text-column", "text", source, *extra)
            self.assertEqual(done.returncode, 0, done.stderr)
            names = {r["label"] for r in csv.DictReader(io.StringIO(done.stdout.decode()))}
            self.assertTrue(names <= ({"hotel", "flight", "refund"} | ({"travel"} if "--until-confidence" in extra else set())), names)
        out = self.classify("--text-column", "text", source, "--multi-label", "--output-format", "jsonl").stdout.decode()
        self.assertTrue(all(isinstance(json.loads(line)["label"], list) for line in out.splitlines()))

    def test_dry_run_and_explain(self):
        source = self.write_csv("in.csv", self.rows(20))
        out = self.classify("--text-column", "text", source, "--dry-run").stdout.decode()
        for word in ("rows         20", "tokens", "time", "cost by API  $0.00"):
            self.assertIn(word, out)
        out = self.classify("--text-column", "text", source, "--explain").stdout.decode()
        self.assertIn("- book hotel", out)
        self.assertIn("Can I have my money back?", out)

    def test_memory_is_flat(self):
        path = self.dir / "in.txt"
        path.write_text("parcel\n" * 4000)
        def peak(n):
            pid = os.fork()
            if pid == 0:
                null = os.open("/dev/null", os.O_RDWR)
                os.dup2(null, 1), os.dup2(null, 2)
                os.execv(LFM, [LFM, "classify", "-m", MODEL, "--labels", LABELS, str(path), "-o", "/dev/null", "--limit", str(n)])
            return os.wait4(pid, 0)[2].ru_maxrss
        self.assertLess(peak(4000), peak(1000) * 1.05)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
