"""All measurements one after another, each in a process of its own: to the terminal, or as docs/performance.md.

Run `make performance` to write the page, `make bench` to print the first five. Progress goes to standard error.
"""

import subprocess
import sys
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import machine
from benchmarks.figures import JSON, Part, markdown, text

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
PART_S_MAX = 900
SHORT = ("pricing", "cycle", "webhook", "journal", "backtest")
LONG = (*SHORT, "memory", "start", "year", "simulated")

HEAD = """\
# Performance

What the program takes, measured beside references in the same run: absolute figures, and how many times the reference they are.
References are what the same work costs without any product around it (numpy by hand, a bare handler, a raw append) and other
programs at a like task. This page is written by one command, in some minutes:

```console
$ make performance
```

`make bench` prints the first five sections. References and peers are installed for it, into `.venv` and an environment of their
own in it; a peer that does not install is said to be absent. Figures that stand beside a reference are the median or the best of
several short rounds in which both take turns; peers run after the product, and what has no reference is measured once or as its
section says. **Aims** are what the product wants to reach on two ordinary cores; those that are
not met are work to do."""


def measured(name: str) -> Part:
    """What one measurement tells; one that ends without telling is a part that says so."""
    begun = time.perf_counter()
    words = [sys.executable, str(ROOT / "benchmarks" / f"bench_{name}.py"), JSON]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PART_S_MAX)
        part = msgspec.json.decode(done.stdout, type=Part)
    except subprocess.CalledProcessError as failure:
        part = Part(name, f"Did not run: {last_line(failure.stderr)}", ())
    except subprocess.TimeoutExpired:
        part = Part(name, f"Did not end within {PART_S_MAX} seconds.", ())
    print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return part


def last_line(said: str) -> str:
    """The last line of what a process said."""
    return (said.strip().splitlines() or ["nothing was said"])[-1]


def page(where: Part, parts: list[Part]) -> str:
    """The whole page: what is met and what is not, the machine, and every part."""
    aims = [(part.title, aim) for part in parts for aim in part.aims]
    missed = [f"- {title}: {aim.what}: {aim.here}, aim {aim.aim}" for title, aim in aims if not aim.met]
    looked = f"{len(aims) - len(missed)} of {len(aims)} aims are met here{'; not met:' if missed else '.'}"
    sections = [HEAD, "\n".join([looked, *([""] if missed else []), *missed])]
    return "\n\n".join([*sections, *(markdown(one) for one in (where, *parts))]) + "\n"


def main() -> None:
    """Print the short list, or write the page."""
    where = Part("Machine", "Where the figures below were taken.", (machine.described(),))
    if sys.argv[1:] == ["bench"]:
        print(text(where))
        for name in SHORT:
            print(text(measured(name)), flush=True)
        return
    PAGE.write_text(page(where, [measured(name) for name in LONG]), "utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written", file=sys.stderr)


if __name__ == "__main__":
    main()
