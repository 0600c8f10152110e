"""Builds "MLX Music.app" and its disk image: `python -m resources.packaging [STEP ...]`.

Without a STEP, all of them in order; those that are done, and whose inputs are as they were, are
passed over. A STEP that is named is done in any case.

Exit code: 0 if all is well; a step that is skipped for want of credentials is well, unless it was
named. 1 if a step failed, with one line that says why; 2 for a step that there is none of.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from resources.packaging.layout import PackagingError
from resources.packaging.stamps import Stamps, key_of
from resources.packaging.steps import PROJECT, STEPS, Job, Step


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    names = [step.name for step in STEPS]
    parser = argparse.ArgumentParser(
        prog="python -m resources.packaging",
        description="Build the app and its disk image, step by step.",
        epilog="Steps: " + ", ".join(names),
    )
    parser.add_argument("steps", metavar="STEP", nargs="*", help="only these, in any case")
    chosen = parser.parse_args(argv).steps
    for name in chosen:
        if name not in names:
            parser.error(f'there is no step "{name}"; the steps are: {", ".join(names)}')
    return build(Job(PROJECT, os.environ), chosen)


def build(job: Job, chosen: Sequence[str] = ()) -> int:
    """Do the steps that are due, or the `chosen` ones; returns the exit code."""
    stamps = Stamps(job.work / "done", [step.name for step in STEPS])
    key = ""
    for number, step in enumerate(STEPS, 1):
        # Each step's key has those before it within, as each works on what those have made.
        key = key_of([key, step.name, *step.inputs(job)])
        if chosen and step.name not in chosen:
            continue
        print(f"[{number}/{len(STEPS)}] {step.name}: ", end="", flush=True)
        if not chosen and stamps.has(step.name, key) and _made(step, job):
            print("done already", flush=True)
            continue
        try:
            reason = step.skip(job)
            if reason is not None:
                print(f"skipped, {reason}", flush=True)
                if chosen:
                    return 1
                continue
            print(step.does, flush=True)
            stamps.clear_from(step.name)
            result = step.run(job)
        except (PackagingError, OSError) as error:
            print(f"\n{step.name}: {error}", file=sys.stderr, flush=True)
            return 1
        print("\n".join(f"  {line}" for line in result.splitlines()), flush=True)
        stamps.set(step.name, key)
    return 0


def _made(step: Step, job: Job) -> bool:
    return step.product is None or step.product(job).exists()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; the next make app goes on here")
