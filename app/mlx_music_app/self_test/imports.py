"""Every import in the code, tried: those inside functions too, which fail only when they are used.

A built app has what its builder found. What it did not find is missed by no import at the start of
the app, since most of what is heavy is imported late; so the compiled code is read for them.
"""

from __future__ import annotations

import dis
import pkgutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType


@dataclass
class Imports:
    """modules: names of those that are there. missing: a line for each that is not."""

    modules: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


def import_all(
    packages: Iterable[str], *, hidden: Iterable[str] = (), leave_out: Collection[str] = ()
) -> Imports:
    """Import all modules of `packages`, and all that any of them imports anywhere.

    hidden: modules that libraries import by themselves. leave_out: modules from elsewhere that may
    be missing. Programs (`__main__`) are read, but not run.
    """
    done = Imports()
    tried: set[tuple[str, str]] = set()
    for name in hidden:
        _try(name, "", "a library", tried, done)
    for module in [name for package in packages for name in modules_of(package)]:
        if module.rpartition(".")[2] != "__main__":
            _try(module, "", module, tried, done)
        for name, taken in imports_of(module):
            if name not in leave_out:
                for attribute in ("", *taken):
                    _try(name, attribute, module, tried, done)
    return done


def modules_of(package: str) -> Iterator[str]:
    """The names of a package and all that lies below it, in folders or in a zip file."""
    yield package
    for found in pkgutil.iter_modules(_places(package), f"{package}."):
        yield from modules_of(found.name) if found.ispkg else (found.name,)


def imports_of(module: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the code of a module imports: a module's name, and the names taken out of it.

    Imports here are absolute: a relative one would be taken for another module, and not be found.
    """
    spec = _spec(module)
    # That of a zip file is none of `importlib.abc`'s kinds.
    get_code = getattr(spec.loader, "get_code", None) if spec else None
    code = get_code(module) if get_code else None
    if code is not None:
        yield from _in_code(code)


def _places(package: str) -> list[str]:
    spec = _spec(package)
    return list(spec.submodule_search_locations or ()) if spec else []


def _spec(module: str) -> ModuleSpec | None:
    try:
        return find_spec(module)
    except ImportError:
        return None  # of the package that it is in, which is told of where that is imported


def _in_code(code: CodeType) -> Iterator[tuple[str, tuple[str, ...]]]:
    last: object = None  # what was loaded before an import is the tuple of names, or None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield instruction.argval, last if isinstance(last, tuple) else ()
        elif instruction.opname.startswith("LOAD_"):
            last = instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _in_code(constant)


def _try(module: str, attribute: str, by: str, tried: set[tuple[str, str]], done: Imports) -> None:
    if (module, attribute) in tried:
        return
    tried.add((module, attribute))
    try:
        found = import_module(module)
        # A name taken out of a package can be a module of its own.
        if attribute not in ("", "*") and not hasattr(found, attribute):
            import_module(f"{module}.{attribute}")
    except (ImportError, OSError) as error:  # OSError: of a library of C that cannot be loaded
        problem = " ".join(str(error).split())
        # What one missing module takes along is no news.
        if not any(line.endswith(problem) for line in done.missing):
            needs = "" if module == by else f" needs {module}"
            done.missing.append(f"{by}{needs}: {problem}")
    else:
        done.modules.add(module)
