"""What needs no package: answers, figures, report, the patient client, the sandbox, the choice of items, data. Standard library only.

usage: light_test.py [unittest arguments]
"""
import csv
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import answers  # noqa: E402
import client  # noqa: E402
import data  # noqa: E402
import figures  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import sandbox  # noqa: E402
import settings  # noqa: E402
import standin  # noqa: E402

SHARED = HERE.parent.parent.parent / "shared/data/evals"
RECORDED = SHARED if SHARED.is_dir() else HERE / "recorded"


class Answers(unittest.TestCase):
    def test_letters_by_pattern(self):
        cases = [
            ("So it is.\nAnswer: B", 4, ("B", 0)), ("**Answer:** B", 4, ("B", 0)), ("answer : c", 4, ("C", 0)), ("Answer: A\nNo.\nAnswer: D", 4, ("D", 0)),
            ("Answer: Banana", 4, (None, None)), (r"thus \boxed{\text{C}}", 4, ("C", 1)), ("The answer is d.", 4, ("D", 2)), ("The answer is (b).", 4, ("B", 3)),
            ("so C) yes", 4, ("C", 4)), ("B is the correct answer, as shown", 4, ("B", 5)), ("therefore C", 4, ("C", 6)), ("b", 4, ("B", -1)), ("", 4, (None, None)),
            # A letter that is no option of the item does not count: the next pattern is tried.
            ("Answer: J\nthe answer is (b)", 4, ("B", 3)), ("I cannot say, and nothing here helps", 4, (None, None)), ("Answer: J", 10, ("J", 0)),
        ]
        for text, options, want in cases:
            self.assertEqual(answers.letter(text, options), want, text)

    def test_letters_of_real_answers(self):
        """All recorded letters with their pattern, where the answers themselves are at hand: LFM_EVALS_OUTPUTS is MMLU-Pro's folder eval_results."""
        folder = os.environ.get("LFM_EVALS_OUTPUTS")
        verdicts = sorted(RECORDED.glob("aa_cascade_*.tsv.gz"))
        if not folder or not verdicts:
            self.skipTest("needs LFM_EVALS_OUTPUTS and the recorded letters")
        for path in verdicts:
            with zipfile.ZipFile(next(pathlib.Path(folder).glob(f"model_outputs_{path.name[len('aa_cascade_'):-len('.tsv.gz')]}_5shots.zip"))) as archive:
                said = {str(entry["question_id"]): entry for entry in json.loads(archive.read(archive.namelist()[0]))}
            with gzip.open(path, "rt") as file:
                for line in file:
                    key, letter, index, _, _ = line.rstrip("\n").split("\t")
                    options = said[key]["options"]
                    count = len(options) if isinstance(options, list) else len(__import__("ast").literal_eval(options))
                    text = said[key].get("model_outputs") or said[key].get("generated_text") or ""
                    self.assertEqual(tuple(map(str, answers.letter(text, count))), (letter, index), key)

    def test_boxes_and_integers(self):
        cases = [(r"\boxed{070}", 70), (r"\boxed{1}, then \boxed{\text{608}}", 608), (r"\boxed{\frac{1}{2}}", None), (r"$\boxed {1{,}000}$", 1000), (r"\boxed{70^\circ}", 70),
                 (r"\boxed{140/2}", 70), (r"\boxed{7/2}", None), (r"\boxed{42.0}", 42), (r"\boxed{5", None), ("42", None), (r"\boxed{}", None), (r"\boxed{-3}", -3),
                 (r"\boxed{8} \boxed{9", 8), (r"\boxed{" + "9" * 5000 + "}", None)]
        for text, want in cases:
            self.assertEqual(answers.integer(answers.boxed(text)), want, text[:40])

    def test_code_is_the_first_python_block(self):
        self.assertEqual(answers.python_block("a\n```python\nx = 1\n\ny\n```\n```python\nz\n```"), "x = 1\n\ny")
        self.assertIsNone(answers.python_block("```\nx\n```"))
        self.assertIsNone(answers.python_block("```python\nnever closed"))

    def test_hle(self):
        said = "Explanation: so.\n**Answer:** 1,000 \nConfidence: 85%"
        self.assertEqual(answers.hle_answer(said), ("1,000", 0.85))
        self.assertTrue(answers.hle_offline(said, "$1000$", "exactMatch"))
        self.assertTrue(answers.hle_offline("Answer: (b) the second", "B", "multipleChoice"))
        self.assertFalse(answers.hle_offline("Answer: Bach", "B", "multipleChoice"))
        self.assertFalse(answers.hle_offline("no such line", "B", "multipleChoice"))
        self.assertEqual([answers.judged(text) for text in ("correct: yes", "reasoning: x\n**correct:** no", '{"correct": "yes"}', "perhaps")], [True, False, True, None])

    def test_label_probabilities(self):
        found = answers.label_probabilities([("A", -0.5), (" A", -2.0), ("B", -1.0), ("x", -0.1), ("C", None)], ["A", "B", "C"])
        self.assertAlmostEqual(found["A"], (2.718281828 ** -0.5 + 2.718281828 ** -2) / (2.718281828 ** -0.5 + 2.718281828 ** -2 + 2.718281828 ** -1), 8)
        self.assertEqual(found["C"], 0)
        self.assertIsNone(answers.label_probabilities([("x", -0.1)], ["A"]))


class Figures(unittest.TestCase):
    def test_the_widths_of_the_card(self):
        """The half-widths that follow from the card's own counts: clustered when all repeats agree, independent when they do not."""
        rows = [{"item": item, "value": float(item < 68)} for item in range(198) for _ in range(5)]
        low, high = figures.interval(rows)
        self.assertAlmostEqual((high - low) / 2, 0.0664, 3)
        low, high = figures.interval(rows, clustered=False)
        self.assertAlmostEqual((high - low) / 2, 0.0296, 3)

    def test_no_variance_takes_wilson(self):
        low, high = figures.interval([{"item": i, "value": 0.0} for i in range(10)])
        self.assertEqual(low, 0.0)
        self.assertAlmostEqual(high, 0.2775, 4)
        self.assertIsNone(figures.interval([]))
        self.assertEqual(figures.interval([{"item": 1, "value": 1.0}])[1], 1.0)

    def test_verdicts(self):
        self.assertEqual([figures.verdict((0.1, 0.2), card, complete, comparable) for card, complete, comparable in
                          ((0.15, True, True), (0.25, True, True), (0.15, False, True), (0.15, True, False))], ["within", "outside", "partial", "not comparable"])
        self.assertEqual(figures.verdict(None, 0.1, True), "not run")

    def test_indices_of_the_card(self):
        card = report.CARD
        found = figures.indices({key: about["card"] for key, about in card["benchmarks"].items()}, card["indices"])
        self.assertEqual([round(index["value"], 2) for index in found], [2.27, 25.3, 10.5, 5.85])
        self.assertTrue(all(index["version"] == "4.0" and index["formula"] for index in found))
        self.assertEqual(figures.indices({}, card["indices"])[0]["missing"], ["scicode"])

    def test_index_formulas_hold_for_other_models(self):
        path = next(RECORDED.glob("index_check_*.tsv"))
        worst = {"coding": 0.0, "math": 0.0}
        with open(path) as file:
            for row in csv.DictReader(file, delimiter="\t"):
                value = {key: None if text in ("None", "") else float(text) for key, text in row.items() if key != "slug"}
                if None not in (value["coding"], value["tbhard"], value["scicode"]):
                    worst["coding"] = max(worst["coding"], abs(value["coding"] - 100 * figures.coding_index(value["tbhard"], value["scicode"])))
                if None not in (value["math"], value["aime25"]):
                    worst["math"] = max(worst["math"], abs(value["math"] - 100 * value["aime25"]))
        self.assertLess(worst["coding"], 0.07)
        self.assertLess(worst["math"], 0.05)
        self.assertGreater(worst["coding"], 0)

    def test_pass_k_and_calibration(self):
        self.assertEqual([figures.pass_k([[1, 1, 0], [0, 0, 0]], k) for k in (1, 2, 3, 4)], [1 / 3, 1 / 6, 0.0, None])
        self.assertAlmostEqual(figures.calibration_error([(0.9, True), (0.9, False)]), 0.4)

    def test_classification_by_hand(self):
        cases = [("a", "a", {"a": 0.8, "b": 0.2}), ("b", "a", {"a": 0.5, "b": 0.5}), ("b", "b", {"a": 0.1, "b": 0.9}), ("b", None, None)]
        found = figures.classification(cases, ["a", "b", "c"])
        self.assertEqual((found["accuracy"], found["unanswered"], found["balanced_accuracy"]), (0.5, 1, (1 + 1 / 3) / 2))
        self.assertAlmostEqual(found["macro_f1"], (2 / 3 + 2 / 4) / 2)
        self.assertAlmostEqual(found["log_loss"], 0.340550, 5)
        self.assertAlmostEqual(found["brier"], (0.08 + 0.5 + 0.02) / 3)
        self.assertAlmostEqual(found["ece"], (0.2 + 0.5 + 0.1) / 3)


class Choice(unittest.TestCase):
    def tearDown(self):
        settings.SETTINGS.limit, settings.SETTINGS.share = None, 1.0

    def test_samples_grow_and_keep_the_shares(self):
        records = [(index, "rare" if index % 10 == 0 else "common") for index in range(1000)]
        settings.SETTINGS.share = 0.1
        tenth = settings.chosen(records, lambda record: record[1])
        self.assertEqual((len(tenth), sum(record[1] == "rare" for record in tenth)), (100, 10))
        settings.SETTINGS.share, settings.SETTINGS.limit = 1.0, 7
        self.assertLess(set(settings.chosen(records, lambda record: record[1])), set(tenth))
        settings.SETTINGS.limit = 5000
        self.assertEqual(settings.chosen(records), records)


class Report(unittest.TestCase):
    def runs(self):
        whole = [{"item": f"{item}", "value": float(item % 3 == 0), "reason": None, "truncated": item == 4} for item in range(30) for _ in range(10)]
        return {"aime": {"rows": whole, "details": {"repeats": "<b>near-identical</b>"}},
                "hle": {"rows": [{"item": "1", "value": 1.0}], "comparable": "no judge"},
                "tau2": {"rows": [{"item": "1", "value": 0.0, "reason": "empty answer"}, {"item": "2", "value": 0.0, "error": "HTTP 500"}]}}

    def test_table(self):
        results = report.summarize(self.runs())
        lines = {line["name"]: line for line in results["benchmarks"].values()}
        aime, hle, tau2 = lines["AIME 2025"], lines["Humanity's Last Exam"], lines["tau2 telecom"]
        self.assertEqual((aime["verdict"], aime["answers"], aime["items"], aime["truncated"], aime["errors"]), ("within", 300, 30, 10, 0))
        self.assertEqual(hle["verdict"], "not comparable")
        # An error of the infrastructure is no answer; a malformed answer is one, of value 0.
        self.assertEqual((tau2["answers"], tau2["errors"], tau2["score"], tau2["verdict"], tau2["zero_for_form"]), (1, 1, 0.0, "partial", {"empty answer": 1}))
        text = report.markdown(results)
        self.assertIn("| AIME 2025 | 33.3 | 16.2 to 50.5 | 28.0 to 38.7 | 25.3 | within | 300 | 300 | 10 | 0 |", text)
        self.assertIn("| Math Index | 4.0 | 33.33 | 25.3 | AIME 2025 |", text)
        self.assertIn("- Humanity's Last Exam: not comparable: no judge.", text)

    def test_errors_alone_make_a_full_run_partial(self):
        runs = self.runs()
        runs["aime"]["rows"].append({"item": "x", "value": 0.0, "error": "HTTP 503"})
        line = report.summarize(runs)["benchmarks"]["aime"]
        self.assertEqual((line["verdict"], line["score"]), ("partial", report.summarize(self.runs())["benchmarks"]["aime"]["score"]))

    def test_page_stands_alone(self):
        page = report.page(report.summarize(self.runs()))
        self.assertNotRegex(page, r"(?:src|href)=|url\(|@import|https?://|<script")
        self.assertIn("&lt;b&gt;near-identical", page)
        self.assertEqual(page.count("<svg"), 3)

    def test_written_files(self):
        with tempfile.TemporaryDirectory() as folder:
            report.write(report.summarize(self.runs()), folder)
            self.assertEqual(json.loads((pathlib.Path(folder) / "results.json").read_text())["benchmarks"]["aime"]["answers"], 300)


def body(index):
    return {"messages": [{"role": "user", "content": f"question {index}"}]}


class Client(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.log = self.folder / "log"

    def server(self, rules=(), **arguments):
        server = standin.serve(list(rules), self.log, **arguments)
        self.addCleanup(server.log.close)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, f"http://127.0.0.1:{server.server_address[1]}/v1"

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def test_faults_are_tried_again_and_answers_kept(self):
        _, url = self.server(faults=["429", "500", "503", "drop", "junk"])
        endpoint = client.Endpoint(url, "m", journal=client.Journal(self.folder / "journal"))
        client.LONGEST_WAIT, before = 0.01, client.LONGEST_WAIT
        self.addCleanup(setattr, client, "LONGEST_WAIT", before)
        first = [client.text_of(endpoint.chat(body(index))) for index in range(4)]
        self.assertEqual(first, ["I do not know."] * 4)
        self.assertEqual([line["what"] for line in self.lines()], ["429", "500", "503", "drop", "junk", "answered", "answered", "answered",
                                                                   "429", "500", "503", "drop", "junk", "answered"])
        endpoint.journal.close()
        again = client.Endpoint(url, "other name", journal=client.Journal(self.folder / "journal"))
        self.assertEqual([client.text_of(again.chat(body(index))) for index in range(4)], first)
        self.assertEqual((again.sent, len(self.lines())), (0, 14))

    def test_what_never_comes_is_an_error(self):
        server, url = self.server(faults=["500"] * 9)
        client.LONGEST_WAIT, before = 0.01, client.LONGEST_WAIT
        self.addCleanup(setattr, client, "LONGEST_WAIT", before)
        with self.assertRaisesRegex(client.Unavailable, "3 tries; the last: HTTP 500, fault 500"):
            client.Endpoint(url, "m", retries=2).chat(body(0))
        with self.assertRaises(client.Unavailable):
            client.Endpoint("http://127.0.0.1:9/v1", "m", retries=1).chat(body(0))

    def test_a_server_that_has_ended_is_not_waited_for(self):
        with self.assertRaisesRegex(client.Unavailable, "the server has ended; ConnectionRefusedError"):
            client.Endpoint("http://127.0.0.1:9/v1", "m", alive=lambda: False).chat(body(0))

    def test_a_refusal_is_not_tried_again(self):
        _, url = self.server([{"contains": ["question"], "status": 400}])
        with self.assertRaisesRegex(client.Refused, "HTTP 400, as the script says"):
            client.Endpoint(url, "m").chat(body(0))
        self.assertEqual(len(self.lines()), 1)

    def test_timeouts_are_ours_to_set(self):
        server, url = self.server(faults=["slow"], slow=600)
        client.LONGEST_WAIT, before = 0.01, client.LONGEST_WAIT
        self.addCleanup(setattr, client, "LONGEST_WAIT", before)
        answer = client.Endpoint(url, "m", timeout=1).chat(body(0))  # the server's first answer comes too late for any machine
        self.assertEqual(client.text_of(answer), "I do not know.")
        said = [line["what"] for line in self.lines()]  # on a busy one a sound answer may be late too
        self.assertEqual((said[0], set(said[1:])), ("slow", {"answered"}))
        self.assertEqual(client.Endpoint(url, "m").timeout, 7200)

    def test_a_prompt_too_long_and_a_cut_answer_are_the_models(self):
        _, url = self.server([{"contains": ["question 0"], "status": 400, "code": "context_length_exceeded"}, {"contains": [], "says": "and so", "finish": "length"}])
        endpoint = client.Endpoint(url, "m")
        self.assertEqual([(client.text_of(answer), client.was_cut(answer)) for answer in (endpoint.chat(body(0)), endpoint.chat(body(1)))], [("", True), ("and so", True)])

    def test_weights_keep_apart(self):
        _, url = self.server()
        journal = client.Journal(self.folder / "journal")
        client.Endpoint(url, "m", journal=journal, scope="one").chat(body(0))
        client.Endpoint(url, "m", journal=journal, scope="two").chat(body(0))
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual(run.scope_of(url, "m", None, 5), "abc")
        self.assertEqual(run.scope_of("http://127.0.0.1:9/v1", "m", None, 5), "m")

    def test_a_torn_line_is_dropped_and_nothing_else(self):
        path = self.folder / "journal"
        journal = client.Journal(path)
        journal.put("a", 1)
        journal.put("b", "é")
        journal.close()
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"key": "c", "ans')
        journal = client.Journal(path)
        self.assertEqual(journal.answers, {"a": 1, "b": "é"})
        journal.put("d", 2)
        journal.close()
        self.assertEqual(path.read_bytes()[:len(whole)], whole)
        self.assertEqual(client.Journal(path).answers, {"a": 1, "b": "é", "d": 2})

    def test_one_run_at_a_time(self):
        journal = client.Journal(self.folder / "journal")
        with self.assertRaisesRegex(SystemExit, "in use by another run"):
            client.Journal(self.folder / "journal")
        journal.close()

    def test_kill_and_go_on(self):
        """kill -9 in the midst: the continuation asks for what was not answered, and for nothing else."""
        server, url = self.server(hold=7)
        program = ("import sys; sys.path.insert(0, sys.argv[1]); import client\n"
                   "end = client.Endpoint(sys.argv[2], 'm', journal=client.Journal(sys.argv[3]))\n"
                   "for i in range(12): end.chat({'messages': [{'role': 'user', 'content': f'question {i}'}]})\n")
        command = [sys.executable, "-c", program, str(HERE.parent), url, str(self.folder / "journal")]
        process = subprocess.Popen(command)
        end = time.monotonic() + 60
        while server.count < 8 and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.hold = None
        subprocess.run(command, check=True, timeout=60)
        answered = [line["key"] for line in self.lines() if line["what"] == "answered"]
        self.assertEqual((len(answered), len(set(answered))), (12, 12))
        self.assertEqual([line["what"] for line in self.lines()].count("held"), 1)

    def test_no_more_requests_at_a_time_than_slots(self):
        server, url = self.server(faults=["slow"], slow=0.2)
        endpoint, most, now, lock = client.Endpoint(url, "m", connections=2), [0], [0], threading.Lock()
        once = endpoint._once

        def counted(*arguments):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            try:
                time.sleep(0.05)
                return once(*arguments)
            finally:
                with lock:
                    now[0] -= 1
        endpoint._once = counted
        threads = [threading.Thread(target=endpoint.chat, args=(body(index),)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(most[0], 2)

    def test_the_same_request_at_once_is_sent_once(self):
        server, url = self.server(faults=["slow"], slow=0.3)
        journal = client.Journal(self.folder / "journal")
        endpoint, said = client.Endpoint(url, "m", connections=8, journal=journal), []
        threads = [threading.Thread(target=lambda index=index: said.append(endpoint.chat(body(index % 2)))) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(said), len(self.lines()), journal.asking), (8, 2, {}))

    def test_retry_after(self):
        self.assertEqual([client._retry_after(value) for value in (None, "2", "1e9", "-1", "soon", "Wed, 01 Jan 2020 00:00:00 GMT")], [0, 2, 300, 0, 0, 0])


class Sandbox(unittest.TestCase):
    def setUp(self):
        reason = sandbox.available()
        if reason:
            self.skipTest(reason)

    def python(self, code, seconds=120, **arguments):
        return sandbox.run([sandbox.python(), "-I", "-c", code], seconds=seconds, **arguments)

    def test_runs(self):
        outcome = sandbox.run([sandbox.python(), "-I", "-c", "print(input())"], b"hello\n")
        self.assertEqual((outcome.status, outcome.output, outcome.timed_out), (0, "hello\n", False))

    def test_no_network_no_files_no_rights(self):
        listener = __import__("socket").create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        for code in (f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 2)", "open('/usr/x', 'w')", "open('/x', 'w')",
                     "open('/etc/passwd')", f"open({str(HERE / 'light_test.py')!r})", "import os; os.setuid(0)", "bytearray(5 << 30)",
                     "open('/tmp/x', 'wb').write(bytes(80 << 20))"):
            outcome = self.python(code)
            self.assertNotEqual(outcome.status, 0, code)
            self.assertRegex(outcome.errors, "Error", code)

    def test_limits_of_processes_time_and_output(self):
        outcome = self.python("import os\nfor i in range(99): os.fork() or os._exit(0) if i % 2 else os.fork()")
        self.assertIn("BlockingIOError", outcome.errors)
        outcome = self.python("import os, time\nif os.fork(): os.setsid()\ntime.sleep(60)", seconds=1)
        self.assertTrue(outcome.timed_out)
        outcome = self.python("while True: print('x' * 100000)")
        self.assertEqual(len(outcome.output), sandbox.OUTPUT)

    def test_shown_files_are_read_only(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "shown"
            path.write_text("seen")
            outcome = self.python(f"print(open({str(path)!r}).read()); open({str(path)!r}, 'a')", read_only=[path])
            self.assertEqual((outcome.output, outcome.status), ("seen\n", 1))
            self.assertEqual(path.read_text(), "seen")

    def test_the_environment_stays_outside(self):
        os.environ["LFM_EVALS_SECRET"] = "hush"
        self.addCleanup(os.environ.pop, "LFM_EVALS_SECRET")
        self.assertNotIn("hush", self.python("import os; print(os.environ)").output)


class Refusal(unittest.TestCase):
    def test_without_bubblewrap_programs_are_refused(self):
        path, os.environ["PATH"] = os.environ["PATH"], "/nowhere"
        try:
            with self.assertRaisesRegex(sandbox.Refused, "bwrap is not installed"):
                sandbox.require(unsafe=False)
            sandbox.require(unsafe=True)
        finally:
            os.environ["PATH"] = path


class Arguments(unittest.TestCase):
    def test_faults(self):
        for arguments in (["--only", "mmlu"], ["--only", "classify"], ["--limit", "0"], ["--sampling", "{"]):
            with self.subTest(arguments), self.assertRaises(SystemExit), open(os.devnull, "w") as sink:
                standard, sys.stderr = sys.stderr, sink
                try:
                    run.parse(arguments)
                finally:
                    sys.stderr = standard

    def test_defaults(self):
        options = run.parse([])
        self.assertNotIn("classify", options.only)
        self.assertTrue(options.model.endswith("lfm-demo.gguf"))
        self.assertEqual((options.timeout, options.retries), (7200, 30))


class Data(unittest.TestCase):
    def test_missing_ready_and_false(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.assertEqual(data.missing("aime", folder), ["aime25/test.jsonl"])
            (folder / "mmlu_pro").mkdir()
            (folder / "mmlu_pro/test.jsonl").write_text("{}\n")
            self.assertEqual(data.missing("mmlu_pro", folder), [])
            (folder / "gpqa_diamond.csv").write_text("another file")
            self.assertEqual(data.wrong("gpqa", folder), ["gpqa_diamond.csv"])
            text = "\n".join(data.status(folder))
            self.assertIn("not the published file: gpqa_diamond.csv", text)
            self.assertIn("agree to the terms", text)
            self.assertEqual(text.count("canary"), 2)

    def test_fetch_goes_on_checks_and_asks_for_consent(self):
        content = bytes(range(256)) * 300

        class Handler(standin.http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                self.send_response(403 if self.path == "/gated" else 206 if start else 200)
                self.end_headers()
                self.wfile.write(content[start:] if self.path != "/gated" else b"")

            def log_message(self, *_):
                pass

        server = standin.http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        base = f"http://127.0.0.1:{server.server_address[1]}"
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            digest = __import__("hashlib").sha256(content).hexdigest()
            data.SOURCES["test"] = data.Source("none", {"a/b.bin": base + "/b"}, sha256={"a/b.bin": digest})
            self.addCleanup(data.SOURCES.pop, "test")
            (folder / "a").mkdir()
            (folder / "a/b.bin.part").write_bytes(content[:1000])
            standard, sys.stdout = sys.stdout, open(os.devnull, "w")
            try:
                data.fetch("test", folder)
                self.assertEqual((folder / "a/b.bin").read_bytes(), content)
                (folder / "a/b.bin").unlink()
                data.SOURCES["test"].sha256 = {"a/b.bin": "0" * 64}
                with self.assertRaisesRegex(SystemExit, "thrown away"):
                    data.fetch("test", folder)
                data.SOURCES["test"] = data.Source("none", {"a/b.bin": base + "/gated"}, gate="agree first", home="its page")
                with self.assertRaisesRegex(SystemExit, "its page asks for consent .HTTP 403.: agree first"):
                    data.fetch("test", folder)
            finally:
                sys.stdout.close()
                sys.stdout = standard


if __name__ == "__main__":
    unittest.main(warnings="ignore")
