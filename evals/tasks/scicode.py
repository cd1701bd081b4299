"""SciCode with background: the steps of a problem one after the other, each on the model's own code before it; a step passes if its tests run through."""
import functools
import importlib
import pathlib
import re
from importlib import resources

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, Target, scorer
from inspect_ai.solver import solver

import answers
import sandbox
from settings import SETTINGS, chosen, repeats
from tasks.common import CUT, average, read, standing_in
from tasks.model import model

GIVEN = {("13", 6), ("62", 1), ("76", 3)}  # steps whose code the authors hand out; they are not asked and do not count
SECONDS = 1800


@functools.cache
def generator():
    """The wheel's Gencode. Its module of models imports the library of every vendor; an empty one in its place serves, for we ask ourselves."""
    with standing_in(**{"scicode.gen.models": {"extract_python_script": None, "get_model_function": None}}):
        return importlib.import_module("scicode.gen.gencode_json")


def problems():
    own = sorted(SETTINGS.data.glob("scicode/problems*.jsonl"))
    folder = resources.files("scicode").joinpath("data")
    return [record for path in own or [folder.joinpath("problems_all.jsonl"), folder.joinpath("problems_dev.jsonl")] for record in read(path)]


def given_code(problem, step):
    library = generator()
    text = resources.files("scicode.data").joinpath(f"{problem['problem_id']}.{step}.txt").read_text("utf-8")
    return library.get_function_from_code(text, library.extract_function_name(problem["sub_steps"][step - 1]["function_header"]))


def code_of(text):
    """The first ```python block without its imports (the dependencies come from the problem); None without a block."""
    block = answers.python_block(text)
    return None if block is None else re.sub(r"^\s*(import .*|from .*\s+import\s+.*)", "", block, flags=re.MULTILINE)


@solver
def by_steps():
    template = resources.files("scicode.data").joinpath(f"{SETTINGS.scicode_template}_template.txt").read_text("utf-8")

    async def solve(state, generate):
        problem, asked = state.metadata["problem"], model()
        count = len(problem["sub_steps"])
        gencode = generator().Gencode("lfm", pathlib.Path("."), pathlib.Path("."), with_background=True)
        gencode.previous_llm_code, steps = [None] * count, []
        state.messages = []
        for number in range(1, count + 1):
            if (problem["problem_id"], number) in GIVEN:
                gencode.previous_llm_code[number - 1] = given_code(problem, number)
                continue
            prompt, before = gencode.generate_prompt_with_steps(problem, number, template)
            state.output = await asked.generate([ChatMessageUser(content=prompt)], config=GenerateConfig(seed=state.epoch))
            code = code_of(state.output.completion)
            state.messages += [ChatMessageUser(content=prompt), ChatMessageAssistant(content=state.output.completion)]
            gencode.previous_llm_code[number - 1] = code or ""
            steps.append({"number": number, "before": before, "code": code, "cut": state.output.stop_reason in CUT})
        state.metadata["steps"] = steps
        return state
    return solve


def script(problem, step):
    """The test program of one step, of the authors' form."""
    about = problem["sub_steps"][step["number"] - 1]
    lines = [step["before"], step["code"], "", "from scicode.parse.parse import process_hdf5_to_tuple", "",
             f"targets = process_hdf5_to_tuple({about['step_number']!r}, {len(about['test_cases'])}, {str(targets())!r})"]
    for index, test in enumerate(about["test_cases"]):
        lines += [f"target = targets[{index}]", "", test]
    return "\n".join(lines) + "\n"


def targets():
    return (SETTINGS.data / "scicode" / "test_data.h5").resolve()


def execute(program, seconds):
    python = SETTINGS.scicode_python or sandbox.python()
    return sandbox.run([python, "-"], program.encode(), seconds, [targets(), pathlib.Path(python).parent.parent], SETTINGS.unsafe)


def passes(problem, step, seconds=SECONDS):
    return step["code"] is not None and execute(script(problem, step), seconds).status == 0


@scorer(metrics=[average()])
def by_steps_tests():
    async def compute(state, target: Target):
        sandbox.require(SETTINGS.unsafe)
        steps = state.metadata["steps"]
        values = [float(await anyio.to_thread.run_sync(passes, state.metadata["problem"], step)) for step in steps]
        return Score(value=sum(values) / len(values), metadata={
            "values": values, "reasons": [None if step["code"] is not None else "no ```python block" for step in steps],
            "cuts": [step["cut"] for step in steps]})
    return compute


@task
def scicode():
    sandbox.require(SETTINGS.unsafe)
    tried = execute(f"import h5py, numpy, scipy, sympy\nfrom scicode.parse.parse import process_hdf5_to_tuple\nh5py.File({str(targets())!r}, 'r')", 120)
    if tried.status != 0:
        raise SystemExit(f"SciCode's tests cannot run here: {(tried.errors.strip().splitlines() or ['no message'])[-1]}")
    samples = [Sample(id=record["problem_id"], input=record["problem_name"], target="", metadata={"item": record["problem_id"], "problem": record})
               for record in chosen(problems())]
    return Task(dataset=MemoryDataset(samples), solver=by_steps(), scorer=by_steps_tests(), model=model(), epochs=repeats(3))
