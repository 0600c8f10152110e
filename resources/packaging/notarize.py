"""Has Apple look at the app and the disk image, and fastens its ticket to them.

Credentials come from the environment, in one of two ways:

    NOTARY_PROFILE                               a profile of `xcrun notarytool store-credentials`
    NOTARY_KEY, NOTARY_KEY_ID, NOTARY_ISSUER     an App Store Connect key: its file, and its ids
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from resources.packaging.layout import PackagingError
from resources.packaging.tools import ToolError, run

PROFILE = "NOTARY_PROFILE"
#: Variable: the option of notarytool.
KEY = {"NOTARY_KEY": "--key", "NOTARY_KEY_ID": "--key-id", "NOTARY_ISSUER": "--issuer"}

#: Apple's answer usually takes minutes; a first app of an account has taken hours.
_PATIENCE = "2h"

#: What the stapler says while the ticket, which exists, has not reached all of Apple's servers.
_PASSING = ("Record not found", "Could not find base64 encoded ticket", "Error 65", "Error 68")
#: In seconds, at first: five minutes in all, which is what it has taken others.
_TICKET_WAIT = 20


def credentials(environment: Mapping[str, str]) -> list[str] | None:
    """The options of notarytool that say who asks; None if the environment says nothing of it.

    Raises PackagingError if it says only half, or names a key that is not there.
    """
    if environment.get(PROFILE):
        return ["--keychain-profile", environment[PROFILE]]
    given = {name: environment[name] for name in KEY if environment.get(name)}
    if not given:
        return None
    missing = [name for name in KEY if name not in given]
    if missing:
        raise PackagingError(f"{', '.join(given)} set, but not {', '.join(missing)}: no notarizing")
    if not Path(given["NOTARY_KEY"]).is_file():
        raise PackagingError(f"NOTARY_KEY: there is no file {given['NOTARY_KEY']}")
    return [word for name in KEY for word in (KEY[name], given[name])]


def notarize_app(app: Path, who: list[str]) -> None:
    """Notarize the app, fasten the ticket to it, and have macOS judge it. Raises PackagingError."""
    with tempfile.TemporaryDirectory() as folder:
        # Apple takes files only.
        archive = Path(folder, "app.zip")
        run(["ditto", "-c", "-k", "--keepParent", app, archive])
        submit(archive, who)
    staple(app)
    run(["spctl", "--assess", "--type", "execute", "--verbose=2", app])


def notarize_dmg(dmg: Path, who: list[str]) -> None:
    """The same for the disk image, which must be signed."""
    submit(dmg, who)
    staple(dmg)
    judge = ["spctl", "--assess", "--type", "open", "--context", "context:primary-signature"]
    run([*judge, "--verbose=2", dmg])


def submit(path: Path, who: list[str]) -> None:
    """Send `path` to Apple and wait for the answer.

    Prints Apple's reasons and raises PackagingError if that is not "Accepted". notarytool's exit
    code does not tell: it is 0 for an answer of any kind.
    """
    wait = ["--wait", "--timeout", _PATIENCE, "--output-format", "json"]
    try:
        answer = json.loads(run(["xcrun", "notarytool", "submit", path, *who, *wait]))
        number, status = str(answer["id"]), str(answer.get("status", "no status"))
    except (ValueError, KeyError, TypeError):
        raise PackagingError(f"notarytool gave no answer for {path.name}") from None
    if status == "Accepted":
        return
    try:
        print(run(["xcrun", "notarytool", "log", number, *who]), flush=True)
    except ToolError as error:
        print(f"  no reasons to be had: {error}", flush=True)
    raise PackagingError(f"Apple did not accept {path.name}: {status} (submission {number})")


def staple(path: Path) -> None:
    """Fasten the ticket, so that macOS need not ask Apple for it; and look whether it holds."""
    run(["xcrun", "stapler", "staple", path], again_on=_PASSING, wait=_TICKET_WAIT)
    run(["xcrun", "stapler", "validate", path], again_on=_PASSING, wait=_TICKET_WAIT)
