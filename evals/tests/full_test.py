"""evals/ with its packages: the whole run against a stand-in server, recorded verdicts of the official programs, lfm serve with the demo model.

usage: full_test.py [unittest arguments], by the interpreter of build/evals/venv. LFM_LONG=1 compares every recorded IFBench bit.
"""
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import client  # noqa: E402
import standin  # noqa: E402

SHARED = ROOT.parent / "shared/data/evals"
RECORDED = SHARED if SHARED.is_dir() else HERE / "recorded"
FIXTURES = HERE / "fixtures"
RUN = [sys.executable, str(HERE.parent / "run.py")]
os.environ["NLTK_DATA"] = os.pathsep.join([str(ROOT / "build/evals/nltk_data"), os.environ.get("NLTK_DATA", str(ROOT / "build/evals/data/nltk_data"))])


def recorded(name):
    """The lines of a recorded file, packed or not."""
    path = next(path for path in (RECORDED / name, RECORDED / f"{name}.gz") if path.exists())
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Case(unittest.TestCase):
    """A folder with the fixtures as data, and a stand-in server."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data, self.log = self.folder / "data", self.folder / "requests"
        subprocess.run(["cp", "-r", str(FIXTURES), str(self.data)], check=True)
        import h5py

        with h5py.File(self.data / "scicode/test_data.h5", "w") as file:
            for name, value in (("1.1/test1", 9.0), ("1.1/test2", 4.0), ("1.2/test1", 3.141592653589793), ("1.3/test1", 8.0)):
                file[f"{name}/var1"] = value

    def server(self, **arguments):
        server = standin.serve(json.loads((FIXTURES / "script.json").read_text()), self.log, **arguments)
        self.addCleanup(server.log.close)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, f"http://127.0.0.1:{server.server_address[1]}/v1"

    def command(self, url, *arguments):
        return [*RUN, "--url", url, "--data", str(self.data), "--out", str(self.folder / "out"), *arguments]

    def run_all(self, url, *arguments, status=0):
        done = subprocess.run(self.command(url, *arguments), capture_output=True, text=True, timeout=900)
        self.assertEqual(done.returncode, status, done.stdout[-3000:] + done.stderr[-3000:])
        return json.loads((self.folder / "out/results.json").read_text())

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


CLASSIFY = ("--csv", str(FIXTURES / "tickets.csv"), "--text-column", "message", "--label-column", "queue")


class Whole(Case):
    def test_table_to_the_digit(self):
        """All eight and classification, with faults in every third request, and a judge and a user of their own."""
        program = self.folder / "lfm"
        program.write_text(f"#!{sys.executable}\n" + CLASSIFIER)
        program.chmod(0o755)
        import pyarrow
        import pyarrow.parquet

        records = [json.loads(line) for line in (self.data / "mmlu_pro/test.jsonl").read_text().splitlines()]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), self.data / "mmlu_pro/test-00000-of-00001.parquet")
        (self.data / "mmlu_pro/test.jsonl").unlink()
        _, url = self.server(faults=["429", "500", "503", "drop"])
        results = self.run_all(url, "--full", "--limit", "6", "--only", "mmlu_pro,aime,gpqa,hle,livecodebench,scicode,classify", "--repeats", "2", *CLASSIFY,
                               "--grader-url", url, "-m", "any.gguf", "--lfm", str(program))
        lines = results["benchmarks"]
        got = {key: (line["answers"], round(100 * line["score"], 4), line["truncated"], line["errors"], line["zero_for_form"]) for key, line in lines.items() if line["answers"]}
        self.assertEqual(got, {
            # 4 questions x 2: two right, one wrong, one without a letter.
            "gpqa": (8, 50.0, 0, 0, {"no letter found": 2}),
            # 3 items (the one with an image is left out) x 2; the judge takes two of them.
            "hle": (6, 66.6667, 0, 0, {}),
            # 6 items x 2: right by "Answer: B", "(B)" and the letter alone; one wrong, one cut off, one longer than the context.
            "mmlu_pro": (12, 50.0, 4, 0, {"no letter found": 2, "prompt longer than the context": 2}),
            "aime": (6, 33.3333, 0, 0, {"no balanced \\boxed{}": 2}),
            # 3 steps x 2; the second is right on the code of the first.
            "scicode": (6, 66.6667, 0, 0, {"no ```python block": 2}),
            # 5 problems of the dates x 2: two right, one wrong, one without code, one that wants the network.
            "livecodebench": (10, 40.0, 0, 0, {"no ```python block": 2}),
        })
        self.assertEqual([lines["gpqa"]["verdict"], lines["hle"]["verdict"], lines["ifbench"]["verdict"]], ["partial", "partial", "not run"])
        self.assertEqual([round(100 * end, 2) for end in lines["aime"]["interval_by_item"]], [0.0, 98.67])
        self.assertEqual([round(100 * end, 2) for end in lines["aime"]["interval_independent"]], [0.0, 74.65])
        self.assertIn("not the published file", lines["gpqa"]["other_protocol"])
        self.assertIn("guessed 16.7 %", lines["mmlu_pro"]["details"]["answers by pattern of the cascade (6 to 8 guess)"])
        ways = results["classification"]
        letters, program = ways["one letter, top_logprobs of the server"], ways["lfm classify"]
        self.assertEqual((letters["n"], letters["accuracy"], letters["unanswered"], letters["errors"]), (4, 0.5, 1, 0))
        self.assertEqual((program["n"], program["accuracy"], program["unanswered"]), (4, 0.75, 0))
        self.assertAlmostEqual(letters["log_loss"], 0.58017, 4)
        self.assertAlmostEqual(program["log_loss"], 0.56972, 4)
        text = (self.folder / "out/results.md").read_text()
        self.assertIn("| AIME 2025 | 33.3 | 0.0 to 98.7 | 0.0 to 74.7 | 25.3 | partial (card within) | 6 | 300 | 0 | 0 |", text)
        self.assertIn("| Math Index | 4.0 | 33.33 | 25.3 | AIME 2025 |", text)
        self.assertIn("| Coding Index | 4.0 | 22.22 | 2.3 |", text)
        self.protocol()

    def protocol(self):
        """What was sent: the card's sampling, every repeat under its own seed, no request answered twice."""
        lines = self.lines()
        answered = [line["key"] for line in lines if line["what"] == "answered"]
        self.assertEqual(len(answered), len(set(answered)))
        self.assertEqual({line["temperature"] for line in lines}, {0.0})
        self.assertEqual({line["max_tokens"] for line in lines}, {16384, 1})
        self.assertGreater(sum(line["what"] in ("429", "500", "503", "drop") for line in lines), 40)
        self.assertFalse([line for line in lines if "never asked" in line["text"] or "What is shown?" in line["text"]])

    def test_ifbench_and_tau2(self):
        _, url = self.server()
        results = self.run_all(url, "--limit", "3", "--repeats", "2", "--only", "ifbench,tau2")
        tau2 = results["benchmarks"]["tau2"]
        self.assertEqual((tau2["answers"], round(tau2["score"], 4), tau2["errors"], tau2["verdict"]), (6, 0.3333, 0, "not comparable"))
        self.assertEqual(tau2["zero_for_form"], {"empty answer": 2, "arguments of a call are not JSON": 2})
        self.assertEqual(tau2["details"]["pass^k"], "1: 33.3 %, 2: 33.3 %")
        ifbench = results["benchmarks"]["ifbench"]
        self.assertEqual((ifbench["answers"], round(ifbench["score"], 4), ifbench["errors"]), (6, 0.3333, 0))
        tools = {line["tools"] for line in self.lines()}
        self.assertEqual(tools, {0, 13, 30})

    def test_kill_and_resume(self):
        server, url = self.server(hold=9)
        names = ("--full", "--only", "mmlu_pro,aime,gpqa", "--connections", "1")
        process = subprocess.Popen(self.command(url, *names), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 300
        while server.count < 10 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.hold = None
        results = self.run_all(url, *names)
        answered = [line["key"] for line in self.lines() if line["what"] == "answered"]
        self.assertEqual((len(answered), len(set(answered))), (6 + 30 + 20, 6 + 30 + 20))
        self.assertEqual(len([line for line in self.lines() if line["what"] == "held"]), 1)
        self.assertEqual([results["benchmarks"][key]["answers"] for key in ("mmlu_pro", "aime", "gpqa")], [6, 30, 20])

    def test_errors_are_no_answers_and_are_tried_again(self):
        server, url = self.server(faults=["500", "500"])
        results = self.run_all(url, "--full", "--only", "aime", "--repeats", "1", "--retries", "0", status=3)
        line = results["benchmarks"]["aime"]
        self.assertEqual((line["answers"], line["errors"], line["verdict"]), (2, 1, "partial"))
        self.assertIn("HTTP 500", line["details"]["errors"])
        server.faults = []
        line = self.run_all(url, "--full", "--only", "aime", "--repeats", "1", "--retries", "0")["benchmarks"]["aime"]
        self.assertEqual((line["answers"], line["errors"]), (3, 0))
        self.assertEqual([entry["what"] for entry in self.lines()].count("answered"), 3)

    def test_another_protocol_is_refused_in_the_same_folder(self):
        _, url = self.server()
        first = self.run_all(url, "--full", "--only", "aime,hle", "--repeats", "1")
        self.assertEqual(first["benchmarks"]["hle"]["verdict"], "not comparable")
        again = self.command(url, "--full", "--only", "aime,hle", "--repeats", "1")
        done = subprocess.run([*again, "--temperature", "0.3"], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1)
        self.assertIn("holds answers under another 'temperature' (0.0, now 0.3); name another folder with --out", done.stderr)
        count = len(self.lines())
        done = subprocess.run([*again, "--report-only"], capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, len(self.lines())), (0, count))
        self.assertEqual(json.loads((self.folder / "out/results.json").read_text())["benchmarks"], first["benchmarks"])

    def test_missing_data_and_sandbox_are_said(self):
        _, url = self.server()
        (self.data / "aime25/test.jsonl").unlink()
        tools = self.folder / "bin"
        tools.mkdir()
        path, os.environ["PATH"] = os.environ["PATH"], str(tools)
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        results = self.run_all(url, "--full", "--only", "aime,livecodebench")
        self.assertIn("aime25/test.jsonl", results["benchmarks"]["aime"]["missing"])
        self.assertIn("only in bubblewrap: bwrap is not installed", results["benchmarks"]["livecodebench"]["missing"])


# A stand-in for `lfm classify`: the columns of docs/classify.md.
CLASSIFIER = '''
import csv, json, sys
arguments = sys.argv[1:]
assert arguments[0] == "classify" and "--probabilities" in arguments
labels = json.load(open(arguments[arguments.index("--labels") + 1]))
rows = list(csv.DictReader(open(next(word for word in arguments if word.endswith("in.csv")))))
with open(arguments[arguments.index("-o") + 1], "w", newline="") as out:
    writer = csv.writer(out)
    writer.writerow(["text", "label", "confidence", *("p_" + name for name in labels)])
    for row in rows:
        right = "technical" if "app" in row["text"] else "billing"
        writer.writerow([row["text"], right, 0.8, *(0.8 if name == right else 0.2 for name in labels)])
'''


class Verdicts(unittest.TestCase):
    def test_ifbench(self):
        from importlib import resources

        from tasks import ifbench

        lines = resources.files("ifbench").joinpath("data/sample_output.jsonl").read_text("utf-8").splitlines()
        said = {entry["prompt"]: entry["response"] for entry in map(json.loads, lines)}
        prompts = ifbench.prompts()
        tagger = ifbench.has_tagger()
        judged = [ifbench.judge(record, said[record["prompt"]]) for record in prompts if tagger or "words:start_verb" not in record["instruction_id_list"]]
        strict, loose = (sum(all(pair[i]) for pair in judged) for i in (0, 1))
        self.assertEqual(len(prompts), 294)
        # 26.19 and 29.93 % of 294; without NLTK's tagger, of the prompts that need none.
        self.assertEqual((len(judged), strict, loose), (294, 77, 88) if tagger else (288, 74, 85))

    def test_ifbench_across(self):
        """Every recorded constraint on every 12th response: nothing differs but where the old checker of emoji raised."""
        from importlib import resources

        from tasks import ifbench

        responses = [json.loads(line)["response"] for line in resources.files("ifbench").joinpath("data/sample_output.jsonl").read_text("utf-8").splitlines()]
        differ = {}
        for entry in recorded("cross_verdicts_c94da02_2025-10-17.jsonl"):
            if entry["instruction_id"] == "words:start_verb" and not ifbench.has_tagger():
                continue
            record = {"key": entry["key"], "instruction_id_list": [entry["instruction_id"]], "kwargs": [entry["kwargs"]], "prompt": ""}
            for index in range(0, len(responses), 1 if os.environ.get("LFM_LONG") else 12):
                for kind, got in zip(("strict", "loose"), ifbench.judge(record, responses[index])):
                    if ("E" if got[0] is None else str(int(got[0]))) != entry[kind][index]:
                        differ.setdefault((entry["instruction_id"], kind), []).append(entry[kind][index])
        allowed = {"format:emoji": "E", "ratio:stop_words": "01", "count:word_count_range": "01"}
        for (instruction, kind), bits in differ.items():
            self.assertIn(instruction, allowed, f"{kind} {bits}")
            self.assertLessEqual(set(bits), set(allowed[instruction]))
            if instruction != "format:emoji":
                self.assertLessEqual(len(bits), 2, f"{instruction} {kind}")

    def test_livecodebench(self):
        from tasks import livecodebench

        # The wheel's checker is of January 2025: with our buffer it takes two of 46 that the recorded one wrongly rejects.
        differ = []
        for entry in recorded("official_run_test_verdicts.jsonl"):
            passed, message = livecodebench.judge(entry["code"], entry["io"], seconds=entry["timeout"], unsafe=False)
            if passed != entry["passed"]:
                differ.append((entry["name"], passed, message))
        self.assertLessEqual(len(differ), 2, differ)
        self.assertTrue(all(passed for _, passed, _ in differ), differ)

    def test_tau2(self):
        """Every reply and every assertion of the recorded actions; the gold ones solve their task."""
        from tasks import tau2

        library = tau2.engine()
        from tau2.data_model.message import ToolCall

        replies = 0
        for name in ("gold_traces.jsonl", "random_traces.jsonl"):
            for trace in recorded(name):
                task = tau2.problems()[trace["task_id"]]
                environment = library.telecom.get_environment()
                initial = task.initial_state
                environment.set_state(initialization_data=initial.initialization_data, initialization_actions=initial.initialization_actions, message_history=[])
                environment.sync_tools()

                def holds():
                    return [environment.run_env_assertion(assertion, raise_assertion_error=False) for assertion in task.evaluation_criteria.env_assertions or []]

                self.assertEqual(holds(), trace["start"], trace["task_id"])
                for step in trace["steps"]:
                    reply = environment.get_response(ToolCall(id="1", name=step["name"], arguments=step["arguments"], requestor=step["requestor"]))
                    self.assertEqual((reply.content, reply.error), (step["content"], step["error"]), trace["task_id"])
                    self.assertEqual(holds(), step["asserts"], trace["task_id"])
                    replies += 1
        self.assertGreater(replies, 1000)


class Pitfalls(unittest.TestCase):
    """The six of the design that are not seen in a whole run: 1, 2 and 4 are in light_test.py and above."""

    def test_3_no_download_and_no_spacy(self):
        from tasks import ifbench

        ifbench.checkers()
        import nltk

        self.assertNotIn("spacy", sys.modules)
        self.assertTrue(nltk.download("no such thing"))

    def test_4_metrics_of_nothing(self):
        from tasks import common

        self.assertEqual(common.average()([]), 0.0)

    def test_4_permutations_follow_from_record_and_repeat(self):
        from settings import SETTINGS
        from tasks import choice

        SETTINGS.data, SETTINGS.limit, SETTINGS.repeats = FIXTURES, 2, None
        SETTINGS.endpoints = {"main": client.Endpoint("http://127.0.0.1:9/v1", "m")}
        first, again = ([(sample.id, sample.input, sample.target) for sample in choice.gpqa().dataset] for _ in range(2))
        self.assertEqual(first, again)
        self.assertEqual(len(first), 2 * 5)  # the limit is of records, not of samples
        self.assertGreater(len({text for _, text, _ in first}), 4)
        SETTINGS.limit = None

    def test_5_prompts_of_scicode_without_the_vendors(self):
        from tasks import scicode

        scicode.generator()
        self.assertFalse({"openai", "anthropic", "google.generativeai", "litellm"} & set(sys.modules))

    def test_5_given_steps(self):
        from tasks import scicode
        from settings import SETTINGS

        SETTINGS.data = pathlib.Path("/nonexistent")
        problems = {problem["problem_id"]: problem for problem in scicode.problems()}
        self.assertEqual(sum(len(problem["sub_steps"]) for problem in problems.values()) - 3, 338)
        for problem, step in scicode.GIVEN:
            self.assertIn("def ", scicode.given_code(problems[problem], step))

    def test_private_tests_are_text_and_nothing_else(self):
        import base64
        import pickle
        import zlib

        from tasks import livecodebench

        record = {"public_test_cases": "[]", "metadata": "{}", "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(print))).decode()}
        with self.assertRaisesRegex(pickle.UnpicklingError, "builtins.print"):
            livecodebench.test_cases(record)


class Demo(unittest.TestCase):
    def test_lfm_serve_refuses_nothing(self):
        """Three items of each against lfm serve with the demo model, tools included. Its context is written larger, for tau2's 12,000 tokens."""
        program = pathlib.Path(os.environ.get("LFM_PROGRAM", ROOT / "build/release/lfm"))
        if not program.exists():
            self.skipTest(f"{program} is not built")
        case = Case("setUp")
        case.setUp()
        self.addCleanup(case.doCleanups)
        model, key = (ROOT / "models/lfm-demo.gguf").read_bytes(), b".context_length"
        at = model.index(key) + len(key) + 4  # after the name its type, then the value
        self.assertEqual(model[at:at + 4], (4096).to_bytes(4, "little"))
        (case.folder / "demo.gguf").write_bytes(model[:at] + (32768).to_bytes(4, "little") + model[at + 4:])
        command = [*RUN, "-m", str(case.folder / "demo.gguf"), "--lfm", str(program), "--data", str(case.data), "--out", str(case.folder / "out"), "--limit", "3",
                   "--repeats", "1", "--retries", "0", "--connections", "2", "--sampling", '{"max_tokens": 96}', *CLASSIFY]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        results = json.loads((case.folder / "out/results.json").read_text())
        lines = results["benchmarks"]
        self.assertEqual({key: (line["errors"], line["answers"]) for key, line in lines.items()}, dict.fromkeys(lines, (0, 3)))
        self.assertEqual({way: (measured["n"], measured["errors"]) for way, measured in results["classification"].items()},
                         dict.fromkeys(("one letter, top_logprobs of the server", "lfm classify"), (3, 0)))
        entries = [json.loads(line) for line in (case.folder / "out/serve.log").read_text().splitlines() if line.startswith("{")]
        self.assertEqual({entry["status"] for entry in entries if entry.get("path") == "/v1/chat/completions"}, {200})
        self.assertGreater(max(entry.get("prompt_tokens", 0) for entry in entries), 10000)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
