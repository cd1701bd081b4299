"""What the tasks share: the request of a single turn, records from published files, the form of a score."""
import contextlib
import csv
import json
import pathlib
import sys
import types

from inspect_ai.scorer import Score, SampleScore, metric
from inspect_ai.solver import solver

from settings import SETTINGS

CUT = ("max_tokens", "model_length")


@solver
def ask(seed_from="epoch"):
    """One request. The repeat's number is its seed, which at temperature 0 changes nothing but tells the repeats apart."""
    async def solve(state, generate):
        seed = state.epoch if seed_from == "epoch" else state.metadata[seed_from]
        return await generate(state, seed=seed)
    return solve


def score(value, state, *, answer=None, reason=None, **metadata):
    """A score as report rows read it. `reason` says why a value is 0 for the answer's form rather than its content."""
    stop = state.output.stop_reason if state.output and state.output.choices else None
    if value == 0 and reason is None and stop == "model_length" and not state.output.completion:
        reason = "prompt longer than the context"
    return Score(value=float(value), answer=answer, metadata={"reason": reason, "truncated": stop in CUT, **metadata})


@contextlib.contextmanager
def standing_in(**modules):
    """While a library is imported: modules of these names and members in the place of heavy ones that it imports and we do not use."""
    before = {name: sys.modules.get(name) for name in modules}
    for name, members in modules.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module:
                sys.modules[name] = module


@metric
def average():
    """Inspect's own table; ours, with intervals, is made by report.py. Inspect calls it with an empty list too."""
    def compute(scores: list[SampleScore]) -> float:
        return sum(s.score.as_float() for s in scores) / len(scores) if scores else 0.0
    return compute


def records(*names):
    """The records of the first of these files or folders that is there: .jsonl, .json, .csv or .parquet below the data folder."""
    for name in names:
        for path in sorted(pathlib.Path(SETTINGS.data).glob(name)):
            return read(path)
    raise FileNotFoundError(f"none of {', '.join(names)} in {SETTINGS.data}; `evals/data.py` says what is missing and where it is")


def read(path):
    path = pathlib.Path(path)
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).to_pylist()
    with open(path, encoding="utf-8-sig", newline="" if path.suffix == ".csv" else None) as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        if path.suffix == ".json":
            return json.load(file)
        return [json.loads(line) for line in file if line.strip()]
