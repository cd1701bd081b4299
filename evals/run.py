"""Runs what benchmarks have their data, and prints the table beside the card. Started by run.sh, which sees to the packages.

    evals/run.sh -m MODEL               a tenth of each benchmark whose data is there, spread evenly
    evals/run.sh -m MODEL --full --only mmlu_pro,ifbench
    evals/run.sh --url http://HOST:PORT/v1 --full

The same command again goes on where the last one stopped, after kill -9 too: no answer that arrived is asked for again.
"""
import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import client  # noqa: E402
import data  # noqa: E402
import report  # noqa: E402
import sandbox  # noqa: E402
from settings import SETTINGS  # noqa: E402

ROOT = HERE.parent
# By information for the hour.
ORDER = ["mmlu_pro", "ifbench", "aime", "gpqa", "livecodebench", "tau2", "scicode", "hle", "classify"]
RUNS_PROGRAMS = ("livecodebench", "scicode")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="evals/run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_argument_group("the model")
    where.add_argument("-m", "--model", default=None, help="model for lfm serve (default: the demo model)")
    where.add_argument("--url", default=os.environ.get("LFM_BASE_URL"), help="a server that runs already, such as http://127.0.0.1:8080/v1 (or LFM_BASE_URL)")
    where.add_argument("--name", help="the model's name in requests (default: the first that the server lists)")
    where.add_argument("--key", default=os.environ.get("LFM_API_KEY"), help="API key (or LFM_API_KEY)")
    where.add_argument("--lfm", type=pathlib.Path, default=ROOT / "build/release/lfm", help="the program (default: build/release/lfm)")
    where.add_argument("--serve-flags", default="", help="further flags for lfm serve, in one word")
    what = parser.add_argument_group("what to run")
    what.add_argument("--only", default=None, help="benchmarks, with commas between: " + ", ".join(ORDER))
    what.add_argument("--full", action="store_true", help="every item and repeat, instead of a tenth of the items")
    what.add_argument("--limit", type=int, default=None, help="at most so many items of each benchmark")
    what.add_argument("--repeats", type=int, default=None, help="instead of the card's")
    what.add_argument("--data", type=pathlib.Path, default=data.DEFAULT, help="the data folder (default: build/evals/data; see evals/data.py)")
    what.add_argument("--csv", type=pathlib.Path, default=None, help="classification: a labelled CSV")
    what.add_argument("--text-column", default="text")
    what.add_argument("--label-column", default="label")
    what.add_argument("--temperature", type=float, default=0.0, help="instead of the card's 0")
    what.add_argument("--sampling", type=json.loads, default={}, help='further members of each request, as JSON: {"min_p": 0.15}')
    second = parser.add_argument_group("second models, OpenAI-compatible; their keys are LFM_EVALS_USER_KEY and LFM_EVALS_GRADER_KEY")
    second.add_argument("--user-url", help="tau2's user; without one the measured model plays it, and the score is not comparable")
    second.add_argument("--user-name", default="user")
    second.add_argument("--grader-url", help="HLE's judge; it is sent questions and answers. Without one: exact matches, a lower bound")
    second.add_argument("--grader-name", default="grader")
    second.add_argument("--judge-prompt", type=pathlib.Path, help="HLE: a text with {question}, {response} and {answer} in the place of ours")
    how = parser.add_argument_group("how")
    how.add_argument("--out", type=pathlib.Path, default=None, help="folder of journal, logs and report (default: build/evals/runs/NAME)")
    how.add_argument("--connections", type=int, default=4, help="requests at a time: the server's slots (default: 4)")
    how.add_argument("--timeout", type=float, default=7200, help="seconds for one answer (default: 7200)")
    how.add_argument("--retries", type=int, default=30, help="tries after the first for 429, 5xx, lost connections (default: 30)")
    how.add_argument("--unsafe", action="store_true", help="run the model's programs without bubblewrap")
    how.add_argument("--scicode-template", choices=["multistep", "background_comment"], default="multistep")
    how.add_argument("--scicode-python", default=None, help="the interpreter for SciCode's programs (default: the one with NumPy 1, if installed)")
    how.add_argument("--report-only", action="store_true", help="make the report of what has been run")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else [name for name in ORDER if name != "classify" or options.csv]
    for name in options.only:
        if name not in ORDER:
            parser.error(f"no benchmark '{name}'; there are {', '.join(ORDER)}")
    if "classify" in options.only and not options.csv:
        parser.error("classify needs --csv FILE")
    if options.limit is not None and options.limit < 1 or options.repeats is not None and options.repeats < 1 or options.connections < 1:
        parser.error("--limit, --repeats and --connections are from 1")
    if options.model is None and options.url is None:
        options.model = str(ROOT / "models/lfm-demo.gguf")
    return options


def end_with_parent():
    """Between fork and exec: the kernel ends the server when we are killed, so that a continuation does not load the model beside it."""
    with contextlib.suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Server:
    """lfm serve as our child, on a port it chooses; ended with us, and told from the log where it is."""

    def __init__(self, options, folder):
        if not os.access(options.lfm, os.X_OK):
            raise SystemExit(f"there is no program {options.lfm}: ./run.sh builds it, or --lfm names it, or --url names a running server")
        self.log = folder / "serve.log"
        command = [str(options.lfm), "serve", "-m", options.model, "--port", "0", "--parallel", str(options.connections), "--ledger", "none",
                   *options.serve_flags.split()]
        with open(self.log, "ab") as file:
            start = file.tell()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, preexec_fn=end_with_parent)
        self.url = None
        while self.url is None:
            text = self.log.read_bytes()[start:].decode("utf-8", "replace")
            if self.process.poll() is not None:
                raise SystemExit(f"lfm serve ended with {self.process.returncode}: {(text.strip().splitlines() or ['no message'])[-1]}")
            found = re.search(r"http://[\d.]+:\d+", text)
            self.url = found and found.group(0) + "/v1"
            time.sleep(0.05)

    def alive(self):
        return self.process.poll() is None

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def scope_of(url, name, key, timeout):
    """What names the weights behind a URL: the part of lfm's fingerprint that says so, else the model's name."""
    base = url.rstrip("/").removesuffix("/v1")
    try:
        fingerprint = client.Endpoint(base, name, key, timeout=min(timeout, 60), retries=0).get("/props").get("system_fingerprint") or ""
    except (client.Infrastructure, AttributeError):
        fingerprint = ""
    found = re.search(r"-w(\w+)", fingerprint)
    return found.group(1) if found else name


def wait_until_ready(url, key, seconds=600):
    """The name of the model of a server; one that still loads it answers 503, and is waited for."""
    end, endpoint = time.monotonic() + seconds, client.Endpoint(url, "any", key, timeout=10, retries=0)
    while True:
        try:
            return endpoint.get("/models")["data"][0]["id"]
        except (KeyError, IndexError, TypeError):
            raise SystemExit(f"{url}/models lists no model: is this the base URL of an OpenAI-compatible server?") from None
        except client.Infrastructure as error:
            if isinstance(error, client.Refused) or time.monotonic() > end:
                raise SystemExit(f"the server does not answer: {error}") from None
            time.sleep(0.3)


def endpoints(options, url, journal, alive):
    """{"main", "user", "grader" if named: Endpoint}. A key of the environment stays out of command lines and logs."""
    shared = {"timeout": options.timeout, "retries": options.retries, "journal": journal}
    out = {"main": client.Endpoint(url, options.name, options.key, connections=options.connections, scope=scope_of(url, options.name, options.key, options.timeout),
                                   alive=alive, **shared)}
    for role, other, name in (("user", options.user_url, options.user_name), ("grader", options.grader_url, options.grader_name)):
        if other:
            out[role] = client.Endpoint(other, name, os.environ.get(f"LFM_EVALS_{role.upper()}_KEY"), connections=options.connections, scope=f"{role} {name}", **shared)
    out.setdefault("user", out["main"])
    return out


def settings(options, out):
    python = ROOT / "build/evals/scicode/bin/python"
    SETTINGS.data, SETTINGS.limit, SETTINGS.repeats = options.data.resolve(), options.limit, options.repeats
    SETTINGS.share = 1.0 if options.full or options.limit is not None else 0.1
    SETTINGS.unsafe, SETTINGS.temperature, SETTINGS.sampling = options.unsafe, options.temperature, options.sampling
    SETTINGS.user_is_strong, SETTINGS.csv = bool(options.user_url), options.csv
    SETTINGS.text_column, SETTINGS.label_column = options.text_column, options.label_column
    SETTINGS.scicode_template, SETTINGS.scicode_python = options.scicode_template, options.scicode_python or (str(python) if python.exists() else None)
    SETTINGS.lfm, SETTINGS.model_file = str(options.lfm), options.model
    SETTINGS.judge_prompt = options.judge_prompt.read_text("utf-8") if options.judge_prompt else None
    os.environ["NLTK_DATA"] = os.pathsep.join([str(ROOT / "build/evals/nltk_data"), str(SETTINGS.data / "nltk_data")])
    os.environ["INSPECT_CACHE_DIR"] = str(out / "cache")
    os.environ["XDG_DATA_HOME"] = str(out / "inspect")  # Inspect's buffer of samples under way


def ready(options):
    """(benchmarks to run, {benchmark: why it is left out})."""
    run, left = [], {}
    for name in [name for name in ORDER if name in options.only]:
        gone = data.missing(name, SETTINGS.data) if name in data.SOURCES else []
        if gone and not data.SOURCES[name].optional:
            left[name] = f"its data is missing ({', '.join(gone)}): evals/data.py says from where"
            continue
        if name in RUNS_PROGRAMS:
            try:
                sandbox.require(options.unsafe)
            except sandbox.Refused as refusal:
                left[name] = str(refusal)
                continue
        run.append(name)
    return run, left


def check_identity(folder, options, names):
    """A folder of logs holds one model under one protocol; Inspect would take another's finished logs for ours."""
    now = {"weights": SETTINGS.endpoints["main"].scope, "temperature": options.temperature, "sampling": options.sampling}
    if "tau2" in names:
        now["user"] = options.user_name if options.user_url else "the measured model"
    if "hle" in names:
        now.update(judge=options.grader_name if options.grader_url else "exact match", judge_prompt=SETTINGS.judge_prompt)
    if "scicode" in names:
        now["template"] = options.scicode_template
    if "classify" in names:
        now["csv"] = str(options.csv.resolve())
    path = folder / "identity.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    for key in now.keys() & before.keys():
        if before[key] != now[key]:
            raise SystemExit(f"{folder} holds answers under another '{key}' ({before[key]}, now {now[key]}); name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**before, **now}, indent=1) + "\n")


def evaluate(names, folder, connections):
    """Runs the benchmarks; True if every sample of each has a score."""
    import importlib

    from inspect_ai import eval_set

    modules = {"gpqa": "choice", "mmlu_pro": "choice"}
    tasks = [getattr(importlib.import_module(f"tasks.{modules.get(name, name)}"), name)() for name in names]
    success, _ = eval_set(tasks, log_dir=str(folder), model=None, log_dir_allow_dirty=True, retry_attempts=0, retry_immediate=False, continue_on_fail=True, fail_on_error=True,
                          max_samples=connections, max_tasks=1, display="plain" if not sys.stdout.isatty() else None, log_buffer=1, ctl_server=False,
                          score_display=False)
    return success


def classification(options, runs):
    """Both ways side by side, for results.json."""
    from rows import by_letters
    from tasks import classify

    labels, table = classify.rows()
    out = {}
    if runs["classify"]["rows"]:
        out["one letter, top_logprobs of the server"] = by_letters(runs["classify"], labels)
    if options.model is None:
        print("lfm classify: left out: it needs -m MODEL beside --url", file=sys.stderr)
    else:
        try:
            cases = classify.through_program()
            out["lfm classify"] = {**report.figures.classification(cases, labels), "errors": 0}
        except (RuntimeError, OSError) as error:
            print(f"lfm classify: {error}", file=sys.stderr)
            out["lfm classify"] = {**report.figures.classification([], labels), "errors": len(table)}
    runs["classify"]["details"] = out


def main(arguments=None):
    options = parse(arguments)
    shape = "full" if options.full else f"limit{options.limit}" if options.limit else "tenth"
    if options.repeats:
        shape += f"-x{options.repeats}"
    place = pathlib.Path(options.model).stem if options.model else options.url.split("//")[-1]
    out = (options.out or ROOT / "build/evals/runs" / re.sub(r"[^\w.-]+", "_", place)).resolve()
    logs = out / f"logs-{shape}"
    out.mkdir(parents=True, exist_ok=True)
    settings(options, out)
    run, left = ready(options)
    for name, why in left.items():
        print(f"{name}: left out: {why}", file=sys.stderr)
    server, complete = None, True
    try:
        if options.report_only:
            SETTINGS.endpoints = {"grader": None} if options.grader_url else {}
        elif run:
            if not options.url:
                server = Server(options, out)
            url = options.url or server.url
            listed = wait_until_ready(url, options.key)
            options.name = options.name or listed
            SETTINGS.endpoints = endpoints(options, url, client.Journal(out / "journal.jsonl"), server.alive if server else lambda: True)
            check_identity(logs, options, run)
            complete = evaluate(run, logs, options.connections)
        from rows import runs as measured

        runs = measured(logs, SETTINGS) if logs.exists() else {}
        if "classify" in runs and options.csv:
            classification(options, runs)
    finally:
        died = server is not None and not server.alive()
        if server:
            server.close()
    for name in runs.keys() & data.SOURCES.keys():
        if data.wrong(name, SETTINGS.data):
            runs[name].setdefault("other_protocol", "its data is not the published file (evals/data.py)")
    for name, why in left.items():
        runs.setdefault(name, {"rows": []})["missing"] = "left out: " + why
    results = report.summarize(runs)
    results["setting"] = {"share": shape, "temperature": options.temperature, "sampling": options.sampling, "unsafe": options.unsafe, "scicode_template": options.scicode_template}
    report.write(results, out)
    print(report.markdown(results))
    print(f"{out / 'results.json'}\n{out / 'results.md'}\n{out / 'results.html'}")
    if died:
        print(f"lfm serve ended by itself with {server.process.returncode}; its log is {server.log}", file=sys.stderr)
    if not complete:
        print("some answers failed for reasons other than the model; the same command tries them again", file=sys.stderr)
    return 0 if complete else 3


if __name__ == "__main__":
    sys.exit(main())
