#!/usr/bin/env python3
"""Checks that every #include in src/ follows the arrows of the house: nothing points back.

The arrows are the lfm_layer() lines of src/CMakeLists.txt; a layer may include what it reaches through them.

Prints one line an offence and exits with 1 if there is any.
"""
import pathlib
import re
import sys

# Headers that only these folders may include: what a layer is the only one to know.
RESERVED = {
    r"curl/": {"hub"},
    r"openssl/": {"hub", "server"},
    r"boost/|sqlite3": {"server"},
    r"CLI/|histedit|editline|zlib": {"cli"},
    r"rapidjson/|xxhash": {"base"},
    r"utf8proc": {"jinja", "text"},
}
LAYER = re.compile(r"^\s*lfm_layer\(([a-z ]+)\)", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def read_arrows(cmake: str) -> dict[str, set[str]]:
    """Each layer with all that it reaches. A layer is stated after those below it, so one pass is enough."""
    reached: dict[str, set[str]] = {}
    for match in LAYER.finditer(cmake):
        name, *below = match.group(1).split()
        reached[name] = set(below).union(*(reached[layer] for layer in below))
    reached["cli"] = set(reached)
    return reached


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    arrows = read_arrows((root / "CMakeLists.txt").read_text(encoding="utf-8"))
    offences = 0
    files = [path for path in root.rglob("*") if path.suffix in {".h", ".cc", ".inc", ".inl"}]
    for path in sorted(files):
        layer = path.relative_to(root).parts[0]
        for match in INCLUDE.finditer(path.read_text(encoding="utf-8")):
            name = match.group(1) or match.group(2)
            target = name.split("/")[0]
            line = path.read_text(encoding="utf-8")[: match.start()].count("\n") + 1
            where = f"{path.relative_to(root.parent)}:{line}"
            if match.group(1) and target in arrows and target != layer and target not in arrows[layer]:
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
