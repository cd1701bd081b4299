"""What one run is set to: filled in once by run.py before any task is made, read by the tasks. Standard library only."""
import dataclasses
import hashlib
import pathlib

MAX_TOKENS = 16384  # of one answer; a server ends it earlier where its context does


@dataclasses.dataclass
class Settings:
    data: pathlib.Path = pathlib.Path("build/evals/data")
    endpoints: dict = dataclasses.field(default_factory=dict)  # "main", and where given "user" and "grader": client.Endpoint
    limit: int | None = None       # items of a benchmark, spread evenly; None: all
    share: float = 1.0             # or this share of them
    repeats: int | None = None     # instead of the card's
    unsafe: bool = False
    temperature: float = 0.0
    sampling: dict = dataclasses.field(default_factory=dict)   # further members of each request
    user_is_strong: bool = False   # the user has named a second model for tau2
    lfm: str | None = None         # the program, for `lfm classify`
    model_file: str | None = None
    csv: pathlib.Path | None = None
    text_column: str = "text"
    label_column: str = "label"
    judge_prompt: str | None = None   # HLE; {question}, {response} and {answer} are filled in
    scicode_python: str | None = None
    scicode_template: str = "multistep"


SETTINGS = Settings()


def chosen(records, stratum=None):
    """The records of this run: all of them, or a sample that is the same each time and keeps the shares of the strata.

    The order is by a hash of the record's place, so that a larger limit holds every record of a smaller one.
    """
    count = len(records)
    if SETTINGS.share < 1:
        count = max(1, round(SETTINGS.share * count))
    if SETTINGS.limit is not None:
        count = min(count, SETTINGS.limit)
    if count >= len(records):
        return list(records)
    strata = {}
    for index, record in enumerate(records):
        strata.setdefault(stratum(record) if stratum else None, []).append(index)
    ranked = []
    for name, indices in strata.items():
        shuffled = sorted(indices, key=lambda index: hashlib.sha256(f"lfm {index}".encode()).digest())
        ranked += [((place + 0.5) / len(shuffled), str(name), index) for place, index in enumerate(shuffled)]
    return [records[index] for index in sorted(index for _, _, index in sorted(ranked)[:count])]


def repeats(card):
    return SETTINGS.repeats or card
