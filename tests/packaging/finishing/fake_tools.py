"""Stand-ins for Apple's programs: they note down how they are called, and do what tests need.

`install(folder)` puts them into a folder for PATH; `handle` does the same without a process, which
takes a tenth of a second. codesign really signs Mach-O files, ad hoc
and without Apple's certificates, and like Apple's refuses to sign a folder while something in it is
not signed. A test makes a program fail by `FakeTools.answer`.
"""

from __future__ import annotations

import json
import plistlib
import shutil
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.packaging.macho import find_macho, read_macho
from resources.packaging.signature import read_signature
from tests.packaging.finishing.mach_o import ADHOC, RUNTIME, sign_file

IDENTITY = "Developer ID Application: Ann Example (AB12CD34EF)"

_ROOT = Path(__file__).resolve().parents[3]
#: Without installed packages: looking for them would take most of the time.
_SHIM = """#!{python} -SE
import sys
sys.path.insert(0, {root!r})
sys.dont_write_bytecode = True
from tests.packaging.finishing.fake_tools import main
sys.exit(main({name!r}, {folder!r}))
"""


@dataclass(frozen=True)
class FakeTools:
    """What the programs in `folder` have been asked, and what they answer."""

    folder: Path

    def calls(self, *start: str) -> list[list[str]]:
        """How programs were called, in order: only calls that begin with `start`."""
        log = self.folder / "calls"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        calls: list[list[str]] = [json.loads(line) for line in lines]
        return [call for call in calls if call[: len(start)] == list(start)]

    def answer(
        self, *start: str, code: int = 0, says: str = "", complains: str = "", times: int = 1000
    ) -> None:
        """Calls that begin with `start` only answer this, `times` times."""
        path = self.folder / "answers"
        answers = json.loads(path.read_text("utf-8")) if path.exists() else []
        answers.append([list(start), code, says, complains, times])
        path.write_text(json.dumps(answers), "utf-8")


def install(folder: Path) -> FakeTools:
    """Put the programs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        path = folder / name
        python = sys.executable
        path.write_text(
            _SHIM.format(python=python, root=str(_ROOT), name=name, folder=str(folder)), "utf-8"
        )
        path.chmod(0o755)
    return FakeTools(folder)


def main(name: str, folder: str) -> int:
    """What a stand-in does, as a program; returns its exit code."""
    return handle([name, *sys.argv[1:]], Path(folder))


def handle(call: list[str], folder: Path) -> int:
    """What a stand-in does; returns its exit code. `folder` is where calls are noted down."""
    with (folder / "calls").open("a", encoding="utf-8") as log:
        log.write(json.dumps(call) + "\n")
    answers = folder / "answers"
    planned = json.loads(answers.read_text("utf-8")) if answers.exists() else []
    for answer in planned:
        start, code, says, complains, times = answer
        if call[: len(start)] == start and times:
            answer[-1] -= 1
            answers.write_text(json.dumps(planned), "utf-8")
            sys.stdout.write(says)
            sys.stderr.write(complains)
            return int(code)
    return PROGRAMS[call[0]](call[1:])


def _codesign(words: Sequence[str]) -> int:
    options, paths = _split(words, ("--sign", "--options", "--entitlements"))
    if "--verify" in words:
        return next((1 for path in paths if _unsigned_in(Path(path), all_of_it=True)), 0)
    identity = options["--sign"]
    flags = (ADHOC if identity == "-" else 0) | (RUNTIME if "runtime" in words else 0)
    entitlements = (
        Path(options["--entitlements"]).read_bytes() if "--entitlements" in options else b""
    )
    certificate = b"" if identity == "-" else identity.encode()
    for path in map(Path, paths):
        if path.is_dir() and _unsigned_in(path):
            return 1
        program = _program_of(path)
        if program is not None:
            sign_file(program, flags=flags, entitlements=entitlements, certificate=certificate)
        if path.is_dir():
            folder = path / ("Versions/Current" if path.suffix == ".framework" else "Contents")
            (folder / "_CodeSignature").mkdir(exist_ok=True)
            (folder / "_CodeSignature" / "CodeResources").write_text("sealed")
    return 0


def _unsigned_in(folder: Path, *, all_of_it: bool = False) -> bool:
    """Whether something in `folder` is not signed; its own program need be only for all of it."""
    for path in find_macho(folder):
        if path == _program_of(folder) and not all_of_it:
            continue
        (part,) = read_macho(path)
        signature = read_signature(path, part)
        if signature is None or not signature.intact:
            sys.stderr.write(
                f"{folder}: code object is not signed at all\nIn subcomponent: {path}\n"
            )
            return True
    return False


def _program_of(path: Path) -> Path | None:
    """The Mach-O file that carries the signature of what is at `path`."""
    if path.suffix == ".framework":
        return (path / "Versions" / "Current" / path.stem).resolve()
    if path.suffix == ".app":
        plist = plistlib.loads((path / "Contents" / "Info.plist").read_bytes())
        return path / "Contents" / "MacOS" / str(plist["CFBundleExecutable"])
    return None if path.suffix == ".dmg" else path


def _ditto(words: Sequence[str]) -> int:
    source, target = Path(words[-2]), Path(words[-1])
    if "-c" in words:
        target.write_bytes(b"zip")
    else:
        shutil.copytree(source, target, symlinks=True)
    return 0


def _hdiutil(words: Sequence[str]) -> int:
    options, paths = _split(words, ("-volname", "-srcfolder", "-fs", "-format", "-mountpoint"))
    if words[0] == "create":
        with tarfile.open(paths[-1], "w") as image:
            image.add(options["-srcfolder"], ".")
    elif words[0] == "attach":
        with tarfile.open(paths[-1]) as image:
            image.extractall(options["-mountpoint"])
    elif words[0] == "detach":
        for path in Path(paths[-1]).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return 0


def _xcrun(words: Sequence[str]) -> int:
    if words[:2] == ["notarytool", "submit"]:
        print(json.dumps({"id": "1-2-3", "status": "Accepted", "message": "Processing complete"}))
    return 0


def _security(words: Sequence[str]) -> int:
    print(f'  1) 0123456789ABCDEF "{IDENTITY}"\n     1 valid identities found')
    return 0


def _split(words: Sequence[str], with_value: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options that have a value, and the words that belong to none."""
    options: dict[str, str] = {}
    rest = []
    left = iter(words)
    for word in left:
        if word in with_value:
            options[word] = next(left)
        elif not word.startswith("-"):
            rest.append(word)
    return options, rest


PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "codesign": _codesign,
    "ditto": _ditto,
    "hdiutil": _hdiutil,
    "security": _security,
    "spctl": lambda _: 0,
    "xattr": lambda _: 0,
    "xcrun": _xcrun,
}
