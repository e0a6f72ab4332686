"""A name and a few choices → the first draft of a policy and of its test, and where they go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyengine.errors import UsageError
from policyengine.language.scalars import is_name
from policyengine.model.diagnostic import did_you_mean
from policyengine.workflows.importing import own_folder
from policyengine.workflows.settings import Settings
from policyengine.workflows.shelf import shelve
from policyengine.workflows.starters import EFFECTS, Draft, Starter, Target, draft_policy, draft_test

_EXTENSION_TYPE: Final = re.compile(r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class NewRequest:
    """``effect`` None is the usual one of the draft; ``out`` is a file or a folder, None the project's own."""

    name: str
    draft: Draft = Draft.EXTENSION
    target: Target = Target.ALL
    effect: str | None = None
    extension_type: str = "microsoft.flux"
    out: Path | None = None


@dataclass(frozen=True)
class Drafted:
    policy: Path
    policy_text: str
    test: Path
    test_text: str


def draft(settings: Settings, request: NewRequest) -> Drafted:
    """Writes nothing. Raises UsageError for a name that cannot be or is taken, and for a choice there is not."""
    _check_name(settings, request)
    if not _EXTENSION_TYPE.fullmatch(request.extension_type):
        help = "it is what `extensionType` says, such as `microsoft.flux`"
        raise UsageError(f"`{request.extension_type}` is no type of extension", help=help)
    starter = Starter(request.name, request.draft, _effect(request), request.target, request.extension_type)
    policy = _place(settings, request)
    test = policy.with_name(f"{policy.stem}.test{policy.suffix}")
    return Drafted(policy, draft_policy(starter), test, draft_test(starter))


def _check_name(settings: Settings, request: NewRequest) -> None:
    if not is_name(request.name):
        help = "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
        raise UsageError(f"`{request.name}` cannot be the name of a policy", help=help)
    place = _place(settings, request).resolve()
    for document in shelve(settings, besides=()).library.definitions:
        file = Path(document.span.source.name) if document.span is not None else None
        if document.name.casefold() == request.name.casefold() and (file is None or file.resolve() != place):
            raise UsageError(f"the project has a policy `{document.name}` already", help=f"it is in `{file}`")


def _effect(request: NewRequest) -> str:
    known = EFFECTS[request.draft]
    if request.effect is None:
        return known[0]
    for effect in known:
        if effect.casefold() == request.effect.casefold():
            return effect
    listed = ", ".join(f"`{effect}`" for effect in known)
    help = did_you_mean(request.effect, known) or f"choose one of {listed}"
    raise UsageError(f"`--effect {request.effect}` does not go with `--kind {request.draft}`", help=help)


def _place(settings: Settings, request: NewRequest) -> Path:
    if request.out is not None and request.out.suffix.lower() in {".yaml", ".yml"}:
        return request.out
    return (request.out or own_folder(settings)) / f"{request.name}.yaml"
