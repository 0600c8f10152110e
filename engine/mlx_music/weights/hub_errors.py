"""One clear line for everything that goes wrong between this machine and the hub."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mlx_music.errors import CheckpointError

_OFFLINE_HELP = "connect to the internet, or give a local folder that holds the checkpoint"


def transport_error() -> type[Exception]:
    """The base of the HTTP library's errors, whichever library this huggingface_hub uses."""
    from huggingface_hub.errors import HfHubHTTPError

    base: type[Exception] = HfHubHTTPError.__bases__[0]
    return base


@contextmanager
def hub_errors(repo_id: str, revision: str | None) -> Iterator[None]:
    """Turn errors of the hub, the network and the disk into a CheckpointError."""
    from huggingface_hub.errors import EntryNotFoundError

    try:
        yield
    except (transport_error(), EntryNotFoundError, OSError) as error:
        at = "" if revision is None else f" (revision {revision})"
        raise CheckpointError(f"{repo_id}{at}: {_explain(error, repo_id)}") from error


def _explain(error: Exception, repo_id: str) -> str:
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{repo_id}"
    if isinstance(error, errors.GatedRepoError):
        return f"access is restricted: ask for it at {page}, then log in with `hf auth login`"
    if isinstance(error, errors.DisabledRepoError):
        return f"the repository was disabled on the hub: see {page}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no such revision on the hub: see {page}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            "no such repository on the hub, and no such folder here: check the name"
            " (a private repository needs `hf auth login`)"
        )
    if isinstance(error, errors.HfHubHTTPError):
        return _explain_status(error.response.status_code)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"not downloaded, and offline mode is on (HF_HUB_OFFLINE): {_OFFLINE_HELP}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {constants.HF_HUB_CACHE} is full: free some space or set HF_HUB_CACHE to"
            " a folder on another disk, then run the download again: it goes on where it stopped"
        )
    if isinstance(error, OSError) and error.filename is not None:
        problem = f"cannot write {error.filename} ({error.strerror})"
        return f"{problem}: set HF_HUB_CACHE to a folder of yours"
    return (
        f"cannot reach {constants.ENDPOINT} ({_first_line(error)}): {_OFFLINE_HELP};"
        " a download that was broken off goes on where it stopped"
    )


def _explain_status(status: int) -> str:
    if status in (401, 403):
        return f"the hub refused access (HTTP {status}): log in with `hf auth login`"
    if status == 404:
        return "a file is not on the hub (HTTP 404): the repository changed, run the download again"
    return f"the hub answered HTTP {status}: try again later"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
