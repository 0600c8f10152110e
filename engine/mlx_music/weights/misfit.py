"""Why a component's tensors do not fit its module, told in the names of the published file.

A component's `sanitize` renames, transposes and fuses tensors without reading them, so when the
result does not fit, running it again on few tensors shows cheaply which of them made what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import mlx.core as mx

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import REPAIR

Tensors = dict[str, mx.array]
Sanitize = Callable[[Tensors], Tensors]

_ADVICE = f"the file is incomplete or of another model: {REPAIR}"

#: What indexing or reshaping an array of an unexpected number of axes raises.
_WRONG_AXES = (ValueError, IndexError)


def sanitized(sanitize: Sanitize, published: Tensors, source: Path) -> Tensors:
    """`sanitize(published)`; what it stumbles over in a wrong file becomes a CheckpointError."""
    try:
        return sanitize(dict(published))
    except KeyError as error:
        name = error.args[0] if error.args else None
        if name in published:  # the file is not to blame
            raise
        raise CheckpointError(f"{source}: tensor {name!r} is missing; {_ADVICE}") from error
    except _WRONG_AXES as error:
        culprit = _unconvertible(sanitize, published)
        if culprit is None:
            raise
        raise CheckpointError(
            f"{source}: tensor {culprit!r} has shape {published[culprit].shape}, which this model"
            f" cannot use ({' '.join(str(error).split())}); {_ADVICE}"
        ) from error


def check_fit(
    expected: Mapping[str, mx.array],
    weights: Tensors,
    sanitize: Sanitize,
    published: Tensors,
    source: Path,
) -> None:
    """Compare the names and shapes of `weights`, made by `sanitize`, with the expected ones.

    Everything that is wrong goes into one CheckpointError; long lists are cut and counted.
    """
    missing = [name for name in expected if name not in weights]
    surplus = [name for name in weights if name not in expected]
    misshapen = [
        name
        for name, array in weights.items()
        if name in expected and array.shape != expected[name].shape
    ]
    if not (missing or surplus or misshapen):
        return
    origins = _origins(sanitize, published) if surplus or misshapen else {}
    shapes = (
        f"{_published_label(name, origins, published, weights)}, not {expected[name].shape}"
        for name in misshapen
    )
    problems = [
        *_problem("missing", map(repr, missing)),
        *_problem("unknown to this model", (_names(origins.get(n, [n])) for n in surplus)),
        *_problem("of the wrong shape", shapes),
    ]
    raise CheckpointError(f"{source}: {'; '.join(problems)}; {_ADVICE}")


def _problem(kind: str, items: Iterable[str], shown: int = 3) -> Iterator[str]:
    """`tensor missing: 'a'`, or `874 tensors missing: 'a', 'b', 'c', ...`; nothing for nothing."""
    texts = list(items)
    if texts:
        count = "tensor" if len(texts) == 1 else f"{len(texts)} tensors"
        more = ", ..." if len(texts) > shown else ""
        yield f"{count} {kind}: {', '.join(texts[:shown])}{more}"


def _names(names: Sequence[str]) -> str:
    return " + ".join(map(repr, names))


def _published_label(
    name: str, origins: Mapping[str, Sequence[str]], published: Tensors, weights: Tensors
) -> str:
    """`'published.name' (8, 4, 1) as 'name' (8, 4)`, shortened where both are the same."""
    shape = weights[name].shape
    sources = origins.get(name, [])
    if not sources or (list(sources) == [name] and published[name].shape == shape):
        return f"{name!r} {shape}"
    parts = " + ".join(f"{source!r} {published[source].shape}" for source in sources)
    return f"{parts} as {name!r} {shape}"


def _origins(sanitize: Sanitize, published: Tensors) -> dict[str, list[str]]:
    """The published names behind each sanitized name, as far as single layers show them."""
    origins: dict[str, list[str]] = {}
    for name in published:
        for tensors in _probes(name, published):
            try:
                made = sanitize(dict(tensors))
            except (KeyError, *_WRONG_AXES):
                continue
            others = [array for other, array in tensors.items() if other != name]
            for ours, array in made.items():
                if not any(array is other for other in others):
                    origins.setdefault(ours, []).append(name)
            break
    return origins


def _unconvertible(sanitize: Sanitize, published: Tensors) -> str | None:
    """The first tensor on which, alone or together with its layer, `sanitize` fails."""
    for name in published:
        for tensors in _probes(name, published):
            try:
                sanitize(tensors)
            except KeyError:
                continue
            except _WRONG_AXES:
                return name
            break
    return None


def _probes(name: str, published: Tensors) -> Iterator[Tensors]:
    """The tensor alone, then with those of its layer: weight norm is stored as two tensors."""
    yield {name: published[name]}
    layer = name.rpartition(".")[0]
    yield {other: a for other, a in published.items() if other.rpartition(".")[0] == layer}
