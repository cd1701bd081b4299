"""Inspect's logs as the report's rows."""
import collections
import json

from inspect_ai.log import list_eval_logs, read_eval_log

import figures


def newest(folder):
    """{task name: the log of its last run that has samples}."""
    found = {}
    for info in sorted(list_eval_logs(str(folder)), key=lambda info: info.mtime or 0):
        log = read_eval_log(info)
        if log.samples:
            found[log.eval.task.split("/")[-1]] = log
    return found


def rows_of(sample):
    """The rows of one sample: one, or one a step; those of a sample that failed have "error"."""
    item = str((sample.metadata or {}).get("item", sample.id))
    if sample.error or not sample.scores:
        lines = ((sample.error.message if sample.error else "") or "no score").strip().splitlines()
        return [{"item": item, "value": 0.0, "error": lines[-1] if lines else "no score"}]
    score = next(iter(sample.scores.values()))
    about = score.metadata or {}
    if "values" in about:
        return [{"item": item, "value": value, "reason": reason, "truncated": cut}
                for value, reason, cut in zip(about["values"], about["reasons"], about["cuts"])]
    return [{"item": item, "value": float(score.value), "reason": about.get("reason"), "truncated": about.get("truncated"), "about": about}]


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def details(key, rows):
    """Second figures of a benchmark, as text by label."""
    about = [row["about"] for row in rows if row.get("about")]
    if key in ("gpqa", "mmlu_pro"):
        patterns = collections.Counter(entry["pattern"] for entry in about)
        guessed = sum(count for pattern, count in patterns.items() if pattern is not None and pattern >= 6)
        named = ", ".join(f"{'single letter' if p == -1 else p}: {n}" for p, n in sorted(((p, n) for p, n in patterns.items() if p is not None)))
        return {"answers by pattern of the cascade (6 to 8 guess)": f"{named or 'none'}; guessed {share(guessed, len(about))}"}
    if key == "ifbench" and about:
        strict = sum(entry["strict"] for entry in about)
        loose = [sum(entry["loose_instructions"][i] for entry in about) for i in (0, 1)]
        return {"strict, by prompt": share(strict, len(about)), "loose, by instruction": share(*loose)}
    if key == "hle" and about:
        error = figures.calibration_error([(entry["confidence"], row["value"] > 0) for entry, row in zip(about, rows)])
        return {"calibration error": f"{100 * error:.1f} %"}
    if key == "tau2" and rows:
        items = collections.defaultdict(list)
        for row in rows:
            items[row["item"]].append(row["value"])
        powers = {k: figures.pass_k(list(items.values()), k) for k in (1, 2, 3)}
        ended = collections.Counter(entry["ended"] for entry in about)
        return {"pass^k": ", ".join(f"{k}: {100 * value:.1f} %" for k, value in powers.items() if value is not None),
                "ended by": ", ".join(f"{name} {count}" for name, count in ended.most_common())}
    if key == "livecodebench" and about:
        ended = collections.Counter(entry.get("message") or "" for entry, row in zip(about, rows) if not row["value"] and entry.get("message"))
        kinds = collections.Counter()
        for message, count in ended.items():
            kinds[message.split(":")[0].split(" at ")[0]] += count
        return {"failures": ", ".join(f"{name} {count}" for name, count in kinds.most_common(5))} if kinds else {}
    return {}


def runs(folder, settings):
    """What report.summarize takes, of a folder of logs."""
    out = {}
    for key, log in newest(folder).items():
        rows = [row for sample in log.samples for row in rows_of(sample)]
        whole = [row for row in rows if not row.get("error")]
        run = {"rows": rows, "details": details(key, whole)}
        planned = (log.eval.dataset.samples or 0) * (log.eval.config.epochs or 1)
        lost = planned - len(log.samples)
        if lost > 0:
            run["missing"] = f"{lost} of {planned} samples have not been run yet"
            run["other_protocol"] = "it is not finished"
        kinds = collections.Counter(row["error"] for row in rows if row.get("error"))
        if kinds:
            run["details"]["errors"] = "; ".join(f"{count} x {text[:160]}" for text, count in kinds.most_common(3))
        if key == "hle" and "grader" not in settings.endpoints:
            run["comparable"] = "no judge is named (--grader-url); exact matches are a lower bound"
        if key == "tau2" and not settings.user_is_strong:
            run["comparable"] = "the measured model plays its own user; the card's user is a strong model (--user-url)"
        if key != "classify" and (settings.temperature or settings.sampling):
            run["other_protocol"] = f"sampling is temperature {settings.temperature} {json.dumps(settings.sampling)}"
        out[key] = run
    return out


def by_letters(run, labels):
    """The metrics of the classification by top_logprobs, of its rows."""
    known = [row["about"] for row in run["rows"] if not row.get("error")]
    measured = figures.classification([(entry["label"], max(entry["probabilities"], key=entry["probabilities"].get) if entry["probabilities"] else None,
                                        entry["probabilities"]) for entry in known], labels)
    return {**measured, "errors": len(run["rows"]) - len(known)}
