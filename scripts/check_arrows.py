#!/usr/bin/env python3
"""Checks that every #include in src/ follows the arrows of the house: nothing points back.

Prints one line an offence and exits with 1 if there is any.
"""
import pathlib
import re
import sys

ALLOWED = {
    "base": set(),
    "kernels": {"base"},
    "formats": {"base"},
    "text": {"base"},
    "hub": {"base"},
    "model": {"kernels", "formats", "base"},
    "quant": {"model", "kernels", "formats", "base"},
    "engine": {"model", "text", "kernels", "formats", "base"},
    "server": {"engine", "text", "base"},
    "cli": {"server", "engine", "quant", "model", "text", "kernels", "formats", "hub", "base"},
}
# Headers that only these folders may include: what a layer is the only one to know.
RESERVED = {
    r"curl/": {"hub"},
    r"openssl/": {"hub", "server"},
    r"boost/|sqlite3": {"server"},
    r"CLI/|histedit|editline": {"cli"},
    r"rapidjson/|xxhash": {"base"},
    r"utf8proc": {"text"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    offences = 0
    files = [path for path in root.rglob("*") if path.suffix in {".h", ".cc", ".inc", ".inl"}]
    for path in sorted(files):
        layer = path.relative_to(root).parts[0]
        for match in INCLUDE.finditer(path.read_text(encoding="utf-8")):
            name = match.group(1) or match.group(2)
            target = name.split("/")[0]
            line = path.read_text(encoding="utf-8")[: match.start()].count("\n") + 1
            where = f"{path.relative_to(root.parent)}:{line}"
            if match.group(1) and target in ALLOWED and target != layer and target not in ALLOWED[layer]:
                print(f"{where}: {layer} must not include {name}")
                offences += 1
            for pattern, owners in RESERVED.items():
                if match.group(2) and re.match(pattern, name) and layer not in owners:
                    print(f"{where}: only {', '.join(sorted(owners))} may include <{name}>")
                    offences += 1
    print(f"arrows: {len(files)} files, {offences} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
