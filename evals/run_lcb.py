"""Runs inside the sandbox: one program against LiveCodeBench's tests, by the wheel's run_test. A job on standard input, a verdict as the last line."""
import importlib.util
import io
import json
import os
import sys


class Text(io.StringIO):
    """Standard input of a program under test. The wheel's lacks .buffer, which newer versions of the checker have."""

    @property
    def buffer(self):
        return io.BytesIO(self.getvalue().encode())


def main():
    job = json.loads(sys.stdin.buffer.read())
    sys.set_int_max_str_digits(0)  # programs may print integers of any length, as they might when the checker was written
    out = os.fdopen(os.dup(1), "w")
    sys.stdout = io.StringIO()  # what the library and the program print is no verdict
    spec = importlib.util.spec_from_file_location("testing_util", job["library"])
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    library.StringIO = Text
    results, about = library.run_test({"input_output": json.dumps(job["cases"])}, test=job["code"], timeout=job["seconds"])
    plain = [bool(result) if isinstance(result, bool) or type(result).__name__ == "bool" else int(result) for result in results]
    out.write("\n" + json.dumps({"results": plain, "message": str(about.get("error_message") or about.get("error") or "")[:300]}) + "\n")
    out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
