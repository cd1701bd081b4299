"""The table beside the card: from rows of answers to results.json, Markdown and a page. Standard library only; pure but for `write`.

`runs` maps a benchmark's key to {"rows": [...], "comparable": None or the reason why not, "details": {...}, "missing": what was
left out, "other_protocol": what was done otherwise}; all but the rows may be absent. A row is
{"item", "value", "truncated", "reason" (why a value is 0 for its form, or None), "error" (infrastructure; such rows never count)}.
"""
import collections
import html
import json
import pathlib

import figures

CARD = json.loads((pathlib.Path(__file__).parent / "card.json").read_text())


def summarize(runs, card=CARD):
    """Every benchmark's figures and the indices, as results.json holds them."""
    out, scores = {}, {}
    for key, about in card["benchmarks"].items():
        run = runs.get(key, {})
        rows = [row for row in run.get("rows", []) if not row.get("error")]
        errors = len(run.get("rows", [])) - len(rows)
        by_item, alone = figures.interval(rows), figures.interval(rows, clustered=False)
        complete = errors == 0 and len(rows) in about["runs"] and not run.get("other_protocol")
        score = figures.mean([row["value"] for row in rows])
        scores[key] = score
        out[key] = {
            "name": about["name"], "score": score, "interval_by_item": by_item, "interval_independent": alone, "card": about["card"],
            "verdict": figures.verdict(by_item, about["card"], complete, not run.get("comparable")),
            "card_in_interval": None if by_item is None else by_item[0] <= about["card"] <= by_item[1],
            "answers": len(rows), "items": len({row["item"] for row in rows}), "card_answers": about["runs"],
            "truncated": sum(bool(row.get("truncated")) for row in rows), "errors": errors,
            "zero_for_form": dict(collections.Counter(row["reason"] for row in rows if row.get("reason")).most_common()),
            "not_comparable": run.get("comparable"), "other_protocol": run.get("other_protocol"), "missing": run.get("missing"),
            "details": run.get("details", {}),
        }
    return {"model": card["model"], "card_source": card["source"], "benchmarks": out,
            "indices": figures.indices(scores, card["indices"]), "classification": runs.get("classify", {}).get("details", {})}


def percent(value):
    return "-" if value is None else f"{100 * value:.1f}"


def between(low_high):
    return "-" if low_high is None else f"{percent(low_high[0])} to {percent(low_high[1])}"


def verdict_text(line):
    if line["verdict"] == "partial":
        return "partial (card within)" if line["card_in_interval"] else "partial (card outside)"
    return line["verdict"]


def notes(results):
    """What a reader must know about single lines, one text each."""
    out = []
    for line in results["benchmarks"].values():
        name = line["name"]
        if line["missing"]:
            out.append(f"{name}: {line['missing']}.")
        if line["not_comparable"]:
            out.append(f"{name}: not comparable: {line['not_comparable']}.")
        if line["other_protocol"]:
            out.append(f"{name}: not the card's protocol: {line['other_protocol']}.")
        if line["zero_for_form"]:
            out.append(f"{name}: counted as 0 for their form: " + ", ".join(f"{count} x {reason}" for reason, count in line["zero_for_form"].items()) + ".")
        for label, value in line["details"].items():
            out.append(f"{name}: {label}: {value}.")
    return out


def markdown(results):
    lines = [f"# {results['model']}: measured beside the card", "", f"Card: {results['card_source']}.", "",
             "| benchmark | score | 95 % by item | 95 % independent | card | verdict | answers | card's | cut off | errors |",
             "| --- | --: | --: | --: | --: | --- | --: | --: | --: | --: |"]
    for line in results["benchmarks"].values():
        lines.append("| " + " | ".join([
            line["name"], percent(line["score"]), between(line["interval_by_item"]), between(line["interval_independent"]), percent(line["card"]),
            verdict_text(line), str(line["answers"]), " or ".join(map(str, line["card_answers"])), str(line["truncated"]), str(line["errors"])]) + " |")
    lines += ["", "| index | version | value | card | formula |", "| --- | --- | --: | --: | --- |"]
    for index in results["indices"]:
        value = f"{index['value']:.2f}" if index["value"] is not None else "needs " + ", ".join(index["missing"])
        lines.append(f"| {index['name']} | {index['version']} | {value} | {index['card']} | {index['formula']} |")
    if results["classification"]:
        lines += ["", "| classification | cases | accuracy | macro F1 | balanced accuracy | log loss | Brier | ECE | unanswered | errors |",
                  "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |"]
        for way, measured in results["classification"].items():
            lines.append("| " + " | ".join([way, str(measured["n"]), *(percent(measured[key]) for key in ("accuracy", "macro_f1", "balanced_accuracy")),
                                            *("-" if measured[key] is None else f"{measured[key]:.4f}" for key in ("log_loss", "brier", "ece")),
                                            str(measured["unanswered"]), str(measured["errors"])]) + " |")
    lines += ["", "Scores, intervals and shares are in percent. Within: the card's figure lies in the interval by item. Partial: other counts than the card's. "
              "Cut off: the answer met the token limit. Errors are of the infrastructure: they are never counted as wrong answers; run again to fill them."]
    return "\n".join(lines + [""] + ["- " + note for note in notes(results)]) + "\n"


STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1c2430;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #d8dde5;vertical-align:middle}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}svg{display:block;width:100%;min-width:14rem;height:1.6rem}
.within{color:#11683a}.outside{color:#a11a1a}.other{color:#5b6472}small,li{color:#454e5c}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}th,td{border-color:#333b47}.within{color:#6fd39b}.outside{color:#ff9a9a}
.other,small,li{color:#aab3c0}}"""


def bar(line):
    """Score as a bar, its interval as a line, the card's figure as a mark; the full width is 100 %."""
    if line["score"] is None:
        return ""
    low, high = line["interval_by_item"]
    text = f"{percent(line['score'])} %, 95 % interval {between(line['interval_by_item'])}, card {percent(line['card'])}"
    return (f'<svg viewBox="0 0 1000 30" preserveAspectRatio="none" role="img" aria-label="{html.escape(text)}"><title>{html.escape(text)}</title>'
            f'<rect x="0" y="7" width="1000" height="16" fill="#8a94a3" fill-opacity=".18"/><rect x="0" y="7" width="{1000 * line["score"]:.1f}" height="16" fill="#3d7bd9"/>'
            f'<rect x="{1000 * low:.1f}" y="13.5" width="{max(1.0, 1000 * (high - low)):.1f}" height="3" fill="#e0952b"/>'
            f'<rect x="{max(0.0, 1000 * line["card"] - 2):.1f}" y="1" width="4" height="28" fill="#d0342c"/></svg>')


def page(results):
    """One HTML document that needs nothing from anywhere."""
    def cells(values, numbers=()):
        return "".join(f'<td{" class=n" if i in numbers else ""}>{value}</td>' for i, value in enumerate(values))

    rows = []
    for line in results["benchmarks"].values():
        kind = line["verdict"] if line["verdict"] in ("within", "outside") else "other"
        rows.append("<tr>" + cells([html.escape(line["name"]), bar(line), percent(line["score"]), between(line["interval_by_item"]), percent(line["card"]),
                                    f'<span class={kind}>{html.escape(verdict_text(line))}</span>', line["answers"], line["truncated"], line["errors"]],
                                   (2, 3, 4, 6, 7, 8)) + "</tr>")
    index_rows = ["<tr>" + cells([html.escape(index["name"]), index["version"], "-" if index["value"] is None else f"{index['value']:.2f}", index["card"],
                                  html.escape(index["formula"])], (2, 3)) + "</tr>" for index in results["indices"]]
    labels = [["n", ["accuracy", "macro_f1", "balanced_accuracy"], ["log_loss", "brier", "ece"]]] if results["classification"] else []
    class_rows = ["<tr>" + cells([html.escape(way), measured["n"], *(percent(measured[key]) for key in labels[0][1]),
                                  *("-" if measured[key] is None else f"{measured[key]:.4f}" for key in labels[0][2])], range(1, 8)) + "</tr>"
                  for way, measured in results["classification"].items()]
    body = [f"<h1>{html.escape(results['model'])}: measured beside the card</h1>",
            f"<p>Bar: score. <span style=color:#c07a12>Line</span>: 95 % interval, clustered by item. <span style=color:#d0342c>Mark</span>: the card. "
            f"<small>Card: {html.escape(results['card_source'])}.</small></p>",
            "<table><thead><tr><th>benchmark<th style=width:30%>0 to 100 %<th class=n>score<th class=n>95 %<th class=n>card<th>verdict<th class=n>answers"
            "<th class=n>cut off<th class=n>errors</tr></thead><tbody>", *rows, "</tbody></table>",
            "<table><thead><tr><th>index<th>version<th class=n>value<th class=n>card<th>formula</tr></thead><tbody>", *index_rows, "</tbody></table>"]
    if class_rows:
        body += ["<table><thead><tr><th>classification<th class=n>cases<th class=n>accuracy<th class=n>macro F1<th class=n>balanced<th class=n>log loss"
                 "<th class=n>Brier<th class=n>ECE</tr></thead><tbody>", *class_rows, "</tbody></table>"]
    body.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes(results)) + "</ul>")
    return (f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>{html.escape(results["model"])}: '
            f"evaluation</title><style>{STYLE}</style><body>" + "\n".join(body) + "</body></html>\n")


def write(results, folder):
    """results.json, results.md and results.html into a folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "results.md").write_text(markdown(results))
    (folder / "results.html").write_text(page(results))
