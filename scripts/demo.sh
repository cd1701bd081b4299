#!/usr/bin/env bash
# The model's jobs, once each: a routed ticket, a tool call, an extracted JSON, a classified file. Used by ./run.sh without a terminal.
#   scripts/demo.sh build/release/lfm models/lfm-demo.gguf
set -euo pipefail
lfm=$1 model=$2

for job in routing tools extraction; do
  file=models/examples/$job.json
  echo "== $job"
  python3 - "$file" <<'PY'
import json, sys
example = json.load(open(sys.argv[1], encoding="utf-8"))
for message in example["messages"]:
    print(f"{message['role']}: {message['content']}")
for tool in example.get("tools", []):
    print(f"tool: {json.dumps(tool, ensure_ascii=False)}")
PY
  answer=$("$lfm" run -m "$model" --messages "$file" --temp 0 --repeat-penalty 1 -n 200 --json)
  python3 -c '
import json, sys
answer = json.loads(sys.argv[1])
t = answer["timings"]
print("assistant:", answer["text"])
print("({:.0f} prompt tokens/s, {:.0f} tokens/s)\n".format(t["prompt_per_second"], t["predicted_per_second"]))' "$answer"
done

echo "== classify: models/examples/tickets.csv"
"$lfm" classify -m "$model" --labels models/examples/tickets.labels.json --text-column message models/examples/tickets.csv |
  python3 -c '
import csv, sys
for row in csv.DictReader(sys.stdin):
    message = " ".join(row["message"].split())
    print("{:14} {:6.1%}  {}".format(row["label"], float(row["confidence"]), message))'
