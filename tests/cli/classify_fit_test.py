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
                           (b"message,label\n", "no row"), (b"message\na\n", "label"), (b"message,label\na,\n", "t.csv: there is no row with a label")):
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


def f1(right, fits, given):
    return 2 * right / (fits + given) if fits + given else 0


class Sets(Case):
    """Labels with parents, and several labels a row."""
    PARENTS = {"orders": NAMES[:1] + NAMES[6:], "money": ["refund", "discount"], "goods": ["return_item", "damaged_item", "stock"]}

    def setUp(self):
        super().setUp()
        self.tree = self.dir / "tree.json"
        self.tree.write_text(json.dumps([*self.PARENTS, *({"name": name, "parent": top} for top, names in self.PARENTS.items() for name in names)]))
        with open(FIT, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.single, self.several = self.dir / "single.csv", self.dir / "several.csv"
        with open(self.single, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows[:40])
        with open(self.several, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["message", "label"])
            for i in range(24):
                some = rows[i:i + 1 + i % 2] if i % 7 else []
                writer.writerow([" ".join(row["message"] for row in some) or "Hello", ";".join({row["label"] for row in some})])

    def classify(self, *args, labels, **kwargs):
        return self.ok("classify", *args, "-m", MODEL, "--labels", labels, "--text-column", "message", **kwargs)

    def refuses(self, says, *args, labels, code=2, **kwargs):
        self.fails(code, "classify", *args, "-m", MODEL, "--labels", labels, "--text-column", "message", says=says, **kwargs)

    def rows(self, *args, labels):
        return list(csv.DictReader(io.StringIO(self.classify(*args, "--probabilities", "--output-format", "csv", labels=labels))))

    def test_parents(self):
        cal = self.dir / "cal.json"
        fit = json.loads(self.classify("fit", "--labelled", self.single, "-o", cal, "--json", labels=self.tree))
        self.assertEqual(fit, json.loads(cal.read_text()))
        self.assertEqual([group["parent"] for group in fit["groups"]], [None, "orders", "money", "goods"])
        self.assertLess(fit["report"]["levels"][1]["log_loss"]["after"], fit["report"]["levels"][1]["log_loss"]["before"])
        before, after = (self.rows(self.single, *more, labels=self.tree) for more in ((), ("--calibration", cal)))
        for a, b in zip(before, after):  # each group by itself, multiplied down
            for group in fit["groups"]:
                above = [float(row["p_" + group["parent"]]) if group["parent"] else 1 for row in (a, b)]
                logs = [math.log(max(float(a["p_" + one["name"]]) / above[0], 1e-30)) / group["temperature"] + one["bias"] for one in group["labels"]]
                total = sum(map(math.exp, logs))
                for one, log in zip(group["labels"], logs):
                    self.assertAlmostEqual(float(b["p_" + one["name"]]), above[1] * math.exp(log) / total, places=9)
        report = json.loads(self.classify("eval", "--labelled", self.single, "--calibration", cal, "--plots", self.dir / "plots", "--json", labels=self.tree))
        above = {name: top for top, names in self.PARENTS.items() for name in names}
        leaves = [max(NAMES, key=lambda name, row=row: float(row["p_" + name])) for row in after]
        tops = [max(self.PARENTS, key=lambda name, row=row: float(row["p_" + name])) for row in after]
        truth = [row["input_label"] for row in after]
        self.assertAlmostEqual(report["levels"][1]["accuracy"]["value"], sum(map(str.__eq__, leaves, truth)) / 40, places=12)
        self.assertAlmostEqual(report["levels"][0]["accuracy"]["value"], sum(above[t] == top for t, top in zip(truth, tops)) / 40, places=12)
        for name in ("reliability", "confusion", "reliability-level-1", "confusion-level-1"):
            xml.dom.minidom.parse(str(self.dir / f"plots/{name}.svg"))
        # A precision goes down as far as its level reached it.
        levels = [{t["precision"]: t["confidence"] for t in level["thresholds"]} for level in fit["levels"]]
        precision = max(levels[0])
        for row in self.rows(self.single, "--calibration", cal, "--target-precision", precision, labels=self.tree):
            leaf = max(NAMES, key=lambda name, row=row: float(row["p_" + name]))
            sure = [float(row["p_" + above[leaf]]) >= levels[0][precision], float(row["p_" + leaf]) >= levels[1].get(precision, math.inf)]
            self.assertEqual(row["label"], leaf if sure[1] else above[leaf])
            self.assertEqual(row["abstained"], "false" if sure[0] or sure[1] else "true")
        self.refuses("--until-confidence both", self.single, "--calibration", cal, "--target-precision", precision, "--until-confidence", ".5", labels=self.tree)
        self.refuses("parents or for --multi-label", self.single, "--calibration", cal, labels=LABELS)
        self.refuses("for --multi-label; fit again", self.single, "--calibration", cal, "--multi-label", labels=LABELS)

    def test_a_row_may_say_what_is_right_further_up_alone(self):
        table = self.dir / "t.csv"
        table.write_bytes(b"message,label\nCancel my order,orders\nWhere is my order,order_status\nnothing,\n")
        report = json.loads(self.classify("eval", "--labelled", table, "--json", labels=self.tree))
        self.assertEqual([level["rows"] for level in report["levels"]], [2, 1])
        self.assertEqual((report["rows"], report["without_label"]["rows"]), (2, 1))

    def test_several_labels(self):
        cal = self.dir / "cal.json"
        fit = json.loads(self.classify("fit", "--multi-label", "--labelled", self.several, "-o", cal, "--json", labels=LABELS))
        self.assertEqual(fit["kind"], "multi-label")
        self.assertLess(fit["report"]["log_loss"]["after"], fit["report"]["log_loss"]["before"])
        before, after = (self.rows(self.several, "--multi-label", *more, labels=LABELS) for more in ((), ("--calibration", cal)))
        for a, b in zip(before, after):
            for one in fit["labels"]:
                p = min(max(float(a["p_" + one["name"]]), 1e-30), 1)
                odds = (math.log(p) - math.log(max(1 - p, 1e-30))) / one["temperature"] + one["bias"]
                self.assertAlmostEqual(float(b["p_" + one["name"]]), 1 / (1 + math.exp(-odds)), places=9)
            given = [one["name"] for one in fit["labels"] if float(b["p_" + one["name"]]) >= one["threshold"]]
            self.assertEqual(b["label"], ";".join(given))
            self.assertEqual(b["abstained"], "false" if given else "true")
        report = json.loads(self.classify("eval", "--multi-label", "--labelled", self.several, "--calibration", cal, "--plots", self.dir / "plots", "--json",
                                          labels=LABELS))
        fits = [[name in row["input_label"].split(";") for name in NAMES] for row in after]
        given = [[name in row["label"].split(";") for name in NAMES] for row in after]
        p = [[float(row["p_" + name]) for name in NAMES] for row in after]
        decisions = [(f, g, q) for fs, gs, qs in zip(fits, given, p) for f, g, q in zip(fs, gs, qs)]
        n = len(decisions)
        right = [sum(f[j] and g[j] for f, g in zip(fits, given)) for j in range(len(NAMES))]
        of_labels = [(r, sum(f[j] for f in fits), sum(g[j] for g in given)) for j, r in enumerate(right)]
        present = [f1(*one) for one in of_labels if one[1] + one[2]]
        expected = {"subset_accuracy": sum(map(list.__eq__, fits, given)) / len(after), "hamming_loss": sum(f != g for f, g, _ in decisions) / n,
                    "micro_f1": f1(*map(sum, zip(*of_labels))), "macro_f1": sum(present) / len(present),
                    "brier": sum((q - f) ** 2 for f, _, q in decisions) / n, "log_loss": -sum(math.log(q if f else 1 - q) for f, _, q in decisions) / n}
        for name, value in expected.items():
            self.assertAlmostEqual(report[name]["value"], value, places=9, msg=name)
            self.assertLessEqual(report[name]["low"], report[name]["high"])
        self.assertEqual(sum(one["rows"] for one in report["bins"]), n)
        for name in ("reliability", "labels"):
            xml.dom.minidom.parse(str(self.dir / f"plots/{name}.svg"))
        half = json.loads(self.classify("eval", "--multi-label", "--labelled", self.several, "--calibration", cal, "--threshold", "1", "--json", labels=LABELS))
        self.assertEqual(sum(label["predicted"] for label in half["labels"]), 0)
        self.refuses("of which one is right", self.several, "--multi-label", "--calibration", self.fit_flat(), labels=LABELS)
        self.refuses("holds a ';'", self.several, "--multi-label", labels="a;b,c")

    def fit_flat(self):
        flat = self.dir / "flat.json"
        self.classify("fit", "--labelled", self.single, "-o", flat, labels=LABELS)
        return flat

    def test_priors_and_orders(self):
        plain = self.rows(self.single, labels=self.tree)
        for row in self.rows(self.single, "--prior", "batch", labels=self.tree):
            self.assertAlmostEqual(sum(float(row["p_" + name]) for name in self.PARENTS), 1, places=9)
        self.assertNotEqual(self.rows(self.single, "--prior", "contextual", labels=self.tree), plain)
        means = [0] * 8
        asked = self.rows(self.several, "--multi-label", labels=LABELS)
        odds = lambda row: [math.log(float(row["p_" + name])) - math.log(max(1 - float(row["p_" + name]), 1e-30)) for name in NAMES]
        for row in asked:
            means = [m + o / len(asked) for m, o in zip(means, odds(row))]
        for row, adjusted in zip(asked, self.rows(self.several, "--multi-label", "--prior", "batch", labels=LABELS)):
            for o, m, name in zip(odds(row), means, NAMES):
                self.assertAlmostEqual(float(adjusted["p_" + name]), 1 / (1 + math.exp(-(o - m + sum(means) / 8))), places=6)
        report = json.loads(self.classify("eval", "--multi-label", "--prior", "contextual", "--labelled", self.several, "--json", labels=LABELS))
        self.assertEqual(report["rows"], 24)
        flat = json.loads(self.classify("eval", "--prior", "batch", "--labelled", self.single, "--json", labels=LABELS))
        rows = self.rows(self.single, "--prior", "batch", labels=LABELS)
        self.assertAlmostEqual(flat["accuracy"]["value"], sum(row["label"] == row["input_label"] for row in rows) / 40, places=12)
        cal = self.dir / "cal.json"
        self.classify("fit", "--labelled", self.single, "--permutations", "2", "-o", cal, labels=self.tree)
        self.refuses("another prompt", "eval", "--labelled", self.single, "--calibration", cal, labels=self.tree)
        self.assertNotEqual(self.rows(self.several, "--multi-label", "--permutations", "2", labels=LABELS), asked)

    def test_flags_that_say_nothing_are_refused(self):
        for job, flag in (("eval", ["-o", "x"]), ("eval", ["--probabilities"]), ("eval", ["--threshold", ".5"]), ("eval", ["--limit", "3"]),
                          ("fit", ["-o", "x", "--plots", "d"]), ("fit", ["-o", "x", "--prior", "contextual"]), ("fit", ["-o", "x", "--threshold", ".5"])):
            self.refuses(f"says nothing to lfm classify {job}", job, "--labelled", self.single, *flag, labels=LABELS)
        self.refuses("for labels with parents", self.single, "--until-confidence", ".5", labels=LABELS)
        self.refuses("the costs are of one wrong label", self.single, "--multi-label", "--cost-error", "2", "--cost-hand-over", "1", labels=LABELS)
        self.refuses("are for lfm classify fit", self.single, "--json", labels=LABELS)


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

    def test_a_message_that_is_no_text_is_refused(self):
        for message, why in ((b"a\0b", "NUL"), (b"caf\xe9", "no UTF-8")):
            done = lfm("route", "-m", MODEL, "--routes", ROUTES, "-", stdin=message)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(why, done.stderr.decode())

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
        self.fails(2, "route", "-m", MODEL, "--routes", ROUTES, "", says="there is no message")
        self.fails(2, "route", "-m", MODEL, "--routes", ROUTES, "x", "--threshold", "2", says="from 0 to 1")
        self.fails(2, "route", "-m", MODEL, "--routes", ROUTES, "x", "--top", "-1", says="--top")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
