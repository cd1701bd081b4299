#!/usr/bin/env python3
"""lfm classify fit and eval, calibrated classification, and lfm route, from outside: classify_fit_test.py LFM ROOT. Standard library only."""
import csv
import io
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

LFM, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
MODEL, LABELS = ROOT / "models/lfm-demo.gguf", ROOT / "models/examples/tickets.labels.json"
FIT, ROUTES = ROOT / "models/eval/tickets-fit.csv", ROOT / "models/examples/routes.json"
NAMES = [label["name"] for label in json.loads(LABELS.read_text())["labels"]]


def lfm(*args, stdin=b""):
    return subprocess.run([LFM, *map(str, args)], input=stdin, capture_output=True, timeout=300)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)

    def ok(self, *args, **kwargs):
        done = lfm(*args, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def fails(self, code, *args, says, **kwargs):
        done = lfm(*args, **kwargs)
        message = done.stderr.decode()
        self.assertEqual((done.returncode, done.stdout), (code, b""), message)
        self.assertTrue(message.startswith("lfm: error: ") and message.count("\n") == 1, message)
        self.assertIn(says, message)


class Fit(Case):
    def classify(self, *args, **kwargs):
        return self.ok("classify", *args, "-m", MODEL, "--labels", LABELS, "--text-column", "message", **kwargs)

    def refuses(self, says, *args, code=2, labels=LABELS, **kwargs):
        self.fails(code, "classify", *args, "-m", MODEL, "--labels", labels, "--text-column", "message", says=says, **kwargs)

    def rows(self, *args):
        return list(csv.DictReader(io.StringIO(self.classify(*args, "--probabilities", "--output-format", "csv"))))

    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.cal = pathlib.Path(cls.kept.name, "cal.json")
        done = lfm("classify", "fit", "-m", MODEL, "--labels", LABELS, "--text-column", "message", "--labelled", FIT, "-o", cls.cal, "--json")
        cls.fit = json.loads(done.stdout)

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    def test_the_file_and_the_report(self):
        self.assertEqual(self.fit, json.loads(self.cal.read_text()))
        self.assertEqual([label["name"] for label in self.fit["labels"]], NAMES)
        self.assertEqual(self.fit["report"]["rows"], 100)
        self.assertTrue(self.fit["report"]["helps"])
        self.assertLess(self.fit["report"]["log_loss"]["after"], self.fit["report"]["log_loss"]["before"])
        precisions = [threshold["precision"] for threshold in self.fit["thresholds"]]
        self.assertEqual(precisions, sorted(precisions))

    def test_the_same_fit_gives_the_same_file(self):
        again = self.dir / "again.json"
        self.classify("fit", "--labelled", FIT, "-o", again, "--threads", "1", "--batch", "64")
        self.assertEqual(again.read_bytes(), self.cal.read_bytes())

    def test_calibrated_probabilities_are_the_softmax_of_the_file(self):
        before, after = self.rows(FIT), self.rows(FIT, "--calibration", self.cal)
        biases = [label["bias"] for label in self.fit["labels"]]
        for a, b in zip(before, after):
            z = [math.log(max(float(a["p_" + n]), 1e-30)) / self.fit["temperature"] + bias for n, bias in zip(NAMES, biases)]
            e = [math.exp(v - max(z)) for v in z]
            for n, v in zip(NAMES, e):
                self.assertAlmostEqual(float(b["p_" + n]), v / sum(e), places=9)
            self.assertEqual(a["label_mass"], b["label_mass"])

    def test_eval_counts_what_classify_says(self):
        report = json.loads(self.classify("eval", "--labelled", FIT, "--calibration", self.cal, "--json"))
        rows = self.rows(FIT, "--calibration", self.cal)
        right = sum(row["label"] == row["input_label"] for row in rows)
        self.assertAlmostEqual(report["accuracy"]["value"], right / len(rows), places=12)
        loss = -sum(math.log(float(row["p_" + row["input_label"]])) for row in rows) / len(rows)
        self.assertAlmostEqual(report["log_loss"]["value"], loss, places=9)
        self.assertEqual(sum(cell["rows"] for cell in report["confusion"]), 100)
        self.assertGreater(report["rows_per_second"], 0)
        for figure in ("accuracy", "macro_f1", "ece", "brier", "log_loss", "aurc"):
            self.assertLessEqual(report[figure]["low"], report[figure]["high"], figure)

    def test_plots_are_xml(self):
        self.classify("eval", "--labelled", FIT, "--plots", self.dir / "plots")
        for name in ("reliability", "confusion"):
            picture = xml.dom.minidom.parse(str(self.dir / f"plots/{name}.svg"))
            self.assertEqual(picture.documentElement.tagName, "svg")

    def test_target_precision_is_the_threshold_of_the_file(self):
        threshold = self.fit["thresholds"][0]
        rows = self.rows(FIT, "--calibration", self.cal, "--target-precision", threshold["precision"])
        for row in rows:
            self.assertEqual(row["abstained"] == "true", float(row["confidence"]) < threshold["confidence"], row)
        self.refuses("no threshold was fitted", FIT, "--calibration", self.cal, "--target-precision", "0.123")
        self.refuses("needs --calibration", FIT, "--target-precision", "0.9")
        self.refuses("give one of them", FIT, "--calibration", self.cal, "--target-precision", "0.9", "--threshold", "0.5")

    def test_a_calibration_is_for_its_labels_prompt_and_model(self):
        fewer = self.dir / "fewer.json"
        fewer.write_text(json.dumps(NAMES[:-1]))
        self.refuses("8 labels, here are 7", FIT, "--calibration", self.cal, labels=fewer)
        fewer.write_text(json.dumps(NAMES[::-1]))
        self.refuses("other labels", FIT, "--calibration", self.cal, labels=fewer)
        self.refuses("another prompt", FIT, "--calibration", self.cal, "--instructions", "Choose.")
        self.refuses("another prompt", FIT, "--calibration", self.cal, "--method", "full")
        other = {**self.fit, "model": "0" * 16}
        fewer.write_text(json.dumps(other))
        self.refuses("another model", FIT, "--calibration", fewer)
        fewer.write_text("{}")
        self.refuses("no calibration", FIT, "--calibration", fewer)

    def test_bad_labelled_rows_are_errors_with_their_line(self):
        table = self.dir / "t.csv"
        for text, says in ((b"message,label\na,refund\nb,refunds\n", "line 3"), (b"message,label\na,refund\nb\n", "line 3"),
                           (b"message,label\n", "no row"), (b"message\na\n", "label"), (b"message,label\na,\n", "no row with a label")):
            table.write_bytes(text)
            self.refuses(says, "eval", "--labelled", table)
        table.write_bytes(b"message,label\na,refund\n")
        self.refuses("at least 10", "fit", "--labelled", table, "-o", self.dir / "c.json")
        self.assertFalse((self.dir / "c.json").exists())
        self.refuses("-o FILE", "fit", "--labelled", FIT)
        self.refuses("--labelled FILE", "eval")
        self.refuses("lfm classify fit", FIT, "--labelled", FIT)

    def test_rows_without_a_right_label(self):
        table = self.dir / "t.jsonl"
        table.write_text('{"message": "Please cancel my order", "label": "cancel_order"}\n{"message": "I need a new password", "label": null}\n'
                         '{"message": "Is the tent in stock", "label": "stock"}\n{"message": "Ring at five", "label": ""}\n')
        report = json.loads(self.classify("eval", "--labelled", table, "--json"))
        self.assertEqual((report["rows"], report["without_label"]["rows"]), (2, 2))

    def test_priors(self):
        plain = self.rows(FIT)
        logs = [sum(math.log(max(float(row["p_" + n]), 1e-30)) for row in plain) / len(plain) for n in NAMES]
        for row, adjusted in zip(plain, self.rows(FIT, "--prior", "batch")):
            z = [math.log(max(float(row["p_" + n]), 1e-30)) - m for n, m in zip(NAMES, logs)]
            total = sum(math.exp(v) for v in z)
            for n, v in zip(NAMES, z):
                self.assertAlmostEqual(float(adjusted["p_" + n]), math.exp(v) / total, places=9)
        self.assertNotEqual(self.rows(FIT, "--prior", "contextual"), plain)
        self.refuses("give a file", "--prior", "batch", "--format", "csv", stdin=FIT.read_bytes())
        self.refuses("give one of them", FIT, "--prior", "batch", "--calibration", self.cal)


class Route(Case):
    def route(self, *args, **kwargs):
        return self.ok("route", "-m", MODEL, "--routes", ROUTES, *args, **kwargs)

    def test_the_decision_its_probability_and_its_target(self):
        decision = json.loads(self.route("When do I get my money back?", "--json"))
        self.assertEqual(decision["route"], "refund")
        self.assertEqual(decision["target"], {"kind": "tool", "value": "refund_order"})
        self.assertEqual(decision["threshold"], 0.8)
        self.assertEqual(decision["fallback"], "a person")
        self.assertGreaterEqual(decision["probability"], 0.8)
        self.assertEqual(len(decision["alternatives"]), 2)
        printed = self.route("-", stdin=b"When do I get my money back?\n")
        self.assertTrue(printed.startswith(f"refund  {decision['probability']:.4f}  -> tool refund_order\n"), printed)

    def test_below_the_threshold_nothing_is_taken(self):
        routes = self.dir / "r.json"
        routes.write_text(json.dumps([{"name": n, "threshold": 1} for n in ("refund", "stock")]))
        decision = json.loads(self.ok("route", "-m", MODEL, "--routes", routes, "hm", "--json"))
        self.assertEqual((decision["route"], decision["target"]), (None, None))
        self.assertIn(decision["likeliest"], ("refund", "stock"))
        self.assertTrue(self.ok("route", "-m", MODEL, "--routes", routes, "hm").startswith("none  ("))

    def test_a_message_for_nobody_falls_back(self):
        decision = json.loads(self.route("My dentist appointment is on Friday", "--json"))
        self.assertIsNone(decision["route"])
        self.assertLess(decision["label_mass"], decision["min_label_mass"])
        self.assertRegex(self.route("My dentist appointment is on Friday"), r"^none  \(the label mass is 0\.\d+ and needs 0\.5000\)  -> a person\n")
        self.assertIsNotNone(json.loads(self.route("My dentist appointment is on Friday", "--json", "--min-label-mass", "0"))["route"])

    def test_explain_shows_the_prompt_that_classify_has(self):
        prompt = json.loads(self.route("Where is it?", "--json", "--explain"))["prompt"]
        self.assertIn("order_status: where an order is", prompt)
        self.assertIn("Where is it?", prompt)
        self.assertTrue(self.route("Where is it?", "--explain").startswith(prompt))

    def test_errors(self):
        routes = self.dir / "r.json"
        routes.write_text('[{"name": "a", "utterance": []}]')
        self.fails(2, "route", "-m", MODEL, "--routes", routes, "x", says="unknown member")
        self.fails(2, "route", "-m", MODEL, "x", says="--routes FILE")
        self.fails(2, "route", "-m", MODEL, "--routes", ROUTES, stdin=b"\n", says="there is no message")
        self.fails(2, "route", "-m", MODEL, "--routes", ROUTES, "x", "--threshold", "2", says="from 0 to 1")
        self.fails(2, "route", "-m", MODEL, "--routes", ROUTES, "x", "--top", "-1", says="--top")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
