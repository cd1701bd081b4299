"""Runs a program that a model wrote: in bubblewrap, with limits, or not at all. Standard library only.

Inside there is no network, no file but the Python installation and what the caller names (read-only), and an empty /tmp that is gone
afterwards. Limits: memory of each process, number of processes, processor time, file size, wall-clock time. Where lfm's tests run as root, the
program gets the identity "nobody", for the kernel limits no process number of root.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

MEMORY = 4 << 30
PROCESSES = 32
FILE = 64 << 20
SCRATCH = 256 << 20
OUTPUT = 1 << 20  # bytes of standard output that are read


class Refused(RuntimeError):
    """No sandbox, and the user has not said --unsafe."""


@dataclass
class Outcome:
    status: int       # exit status; negative: ended by that signal
    output: str
    errors: str       # the end of standard error
    timed_out: bool


def available():
    """None if bubblewrap works here, else why not."""
    for tool in ("bwrap", "prlimit"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    outcome = _execute(_jail([]) + ["/bin/true"], b"", 20)
    return None if outcome.status == 0 else "bwrap cannot make a sandbox here: " + (outcome.errors.strip().splitlines() or ["no reason given"])[-1]


def require(unsafe):
    """Raises Refused unless programs can be jailed or the user has allowed them to run freely."""
    reason = None if unsafe else available()
    if reason:
        raise Refused(f"programs written by a model run only in bubblewrap: {reason} (Debian: apt-get install bubblewrap); --unsafe runs them without")


def run(argv, stdin=b"", seconds=60, read_only=(), unsafe=False):
    """Runs argv (its first word an absolute path) with `stdin`; `read_only` are paths that it may read. `seconds` bounds the wall clock."""
    limits = ["prlimit", f"--as={MEMORY}", f"--nproc={PROCESSES}", f"--fsize={FILE}", "--core=0", f"--cpu={int(seconds) + 1}"]
    if unsafe:
        return _execute(limits[:2] + limits[3:] + list(argv), stdin, seconds)
    identity = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs"] if os.geteuid() == 0 else []
    return _execute(_jail(read_only) + limits + identity + list(argv), stdin, seconds)


def _jail(read_only):
    """bwrap and its arguments. Root stays in its own user namespace, so that the program can be made another user inside."""
    jail = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    if os.geteuid() != 0:
        jail += ["--unshare-user"]
    jail += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(SCRATCH), "--tmpfs", "/tmp"]  # first: what is shown may lie in /tmp
    shown = [path for path in dict.fromkeys([sys.base_prefix, sys.prefix, *map(str, read_only)]) if not path.startswith("/usr/")]
    # bwrap makes missing parents for their owner alone, and the program may be somebody else.
    parents = (str(parent) for path in ["/etc/x", *shown] for parent in reversed(pathlib.PurePosixPath(path).parents))
    for parent in dict.fromkeys(parent for parent in parents if parent not in ("/", "/tmp")):
        jail += ["--perms", "0755", "--dir", parent]
    for path in ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives"):
        if os.path.islink(path):
            jail += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            jail += ["--ro-bind", path, path]
    for path in shown:
        jail += ["--ro-bind", path, path]
    jail += ["--remount-ro", "/", "--chdir", "/tmp"]
    for name, value in (("PATH", "/usr/bin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("OPENBLAS_NUM_THREADS", "1"), ("OMP_NUM_THREADS", "1"),
                        ("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONINTMAXSTRDIGITS", "0"), ("MPLBACKEND", "Agg")):
        jail += ["--setenv", name, value]
    return jail + ["--"]


def _execute(command, stdin, seconds):
    """Both streams go to files, so that a program that writes without end meets its limits and not our memory."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, \
            tempfile.TemporaryDirectory(prefix="lfm-evals-") as folder:
        source.write(stdin)
        source.seek(0)
        environment = {**os.environ, "PYTHONINTMAXSTRDIGITS": "0", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdin=source, stdout=output, stderr=errors, cwd=folder, env=environment, start_new_session=True)
        timed_out = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        output.seek(0)
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
        return Outcome(process.returncode, output.read(OUTPUT).decode("utf-8", "replace"), errors.read().decode("utf-8", "replace"), timed_out)


def python():
    """The interpreter for programs: the one that runs us."""
    return str(pathlib.Path(sys.executable))
