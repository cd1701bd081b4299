"""LiveCodeBench: problems of a range of contest dates from the published test*.jsonl, judged by the wheel's run_test in a sandbox."""
import base64
import functools
import importlib.util
import io
import json
import pathlib
import pickle
import types
import zlib

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Target, scorer

import answers
import sandbox
from settings import SETTINGS, chosen, repeats
from tasks.common import ask, average, score, standing_in
from tasks.model import model

FIRST, LAST = "2024-07-01", "2025-01-01"
SECONDS = 6  # a test
CHILD = pathlib.Path(__file__).parent.parent / "run_lcb.py"


class TextOnly(pickle.Unpickler):
    """The published private tests are a pickled str. Nothing else may come out of them."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name} in a file of test cases")


def test_cases(record):
    """What run_test takes as "input_output", of the public and the private tests of a published record."""
    private = record["private_test_cases"]
    try:
        private = json.loads(private)
    except ValueError:
        private = json.loads(TextOnly(io.BytesIO(zlib.decompress(base64.b64decode(private)))).load())
    cases = json.loads(record["public_test_cases"]) + private
    return {"inputs": [case["input"] for case in cases], "outputs": [case["output"] for case in cases],
            "fn_name": json.loads(record["metadata"]).get("func_name")}


def problems():
    """The range's records without their tests (several GB), with the place in the file where these are."""
    found = []
    for path in sorted(SETTINGS.data.glob("livecodebench/test*.jsonl")):
        with open(path, "rb") as file:
            offset = 0
            for line in file:
                record = json.loads(line)
                if FIRST <= record["contest_date"][:10] <= LAST:
                    found.append({"question_id": record["question_id"], "question_content": record["question_content"], "difficulty": record["difficulty"],
                                  "starter_code": record["starter_code"], "path": str(path), "offset": offset})
                offset += len(line)
    if not found:
        raise FileNotFoundError(f"no problem of {FIRST} to {LAST} in {SETTINGS.data}/livecodebench/test*.jsonl")
    return found


def record_at(path, offset):
    with open(path, "rb") as file:
        file.seek(offset)
        return json.loads(file.readline())


@functools.cache
def prompter():
    """The wheel's own prompt. Its package imports libraries for loading data and for other models, which are not needed."""
    with standing_in(datasets={"load_dataset": None, "Dataset": None}, anthropic={"HUMAN_PROMPT": None, "AI_PROMPT": None}):
        from livecodebench.prompts.code_generation import get_generic_question_template_answer
    return get_generic_question_template_answer


def judge(code, cases, seconds=SECONDS, unsafe=None):
    """(passed, what happened) of a program. Raises sandbox.Refused without a sandbox."""
    unsafe = SETTINGS.unsafe if unsafe is None else unsafe
    sandbox.require(unsafe)
    job = json.dumps({"code": code, "cases": cases, "seconds": seconds, "library": str(library())}).encode()
    outcome = sandbox.run([sandbox.python(), "-I", str(CHILD)], job, seconds=(seconds + 1) * len(cases["inputs"]) + 25, read_only=[CHILD], unsafe=unsafe)
    try:
        verdict = json.loads(outcome.output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return False, "ran out of time" if outcome.timed_out else f"ended with status {outcome.status}"
    return bool(verdict["results"]) and all(result is True or result > 0 for result in verdict["results"]), verdict["message"]


def library():
    return pathlib.Path(importlib.util.find_spec("livecodebench").submodule_search_locations[0]) / "evaluation" / "testing_util.py"


@scorer(metrics=[average()])
def by_tests():
    async def compute(state, target: Target):
        code = answers.python_block(state.output.completion)
        if code is None:
            return score(0, state, reason="no ```python block" if state.output.completion else None)
        cases = test_cases(record_at(state.metadata["path"], state.metadata["offset"]))
        passed, message = await anyio.to_thread.run_sync(judge, code, cases)
        return score(passed, state, answer=code, message=message)
    return compute


@task
def livecodebench():
    passed, message = judge("print(int(input()) + 1)", {"inputs": ["1\n"], "outputs": ["2\n"], "fn_name": None})
    if not passed:
        raise SystemExit(f"a right program does not pass here, so no score would be true: {message}")
    samples = [Sample(id=str(record["question_id"]), input=prompter()(types.SimpleNamespace(**record)), target="",
                      metadata={"item": str(record["question_id"]), "path": record["path"], "offset": record["offset"]})
               for record in chosen(problems(), lambda r: r["difficulty"])]
    return Task(dataset=MemoryDataset(samples), solver=ask(), scorer=by_tests(), model=model(), epochs=repeats(3))
