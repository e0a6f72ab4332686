"""A deployment template × parameters → ordered resource writes, and the live reads they need first.

Pure: reads come in as answers, and what only Resource Manager can do is said to be so (`live_reads.py`). Outputs are
evaluated only where a `reference()` asks for them. Source: policy language §6.4; ARM template syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from policyengine.errors import TemplateError
from policyengine.expressions.compiled import ExpressionContext
from policyengine.expressions.functions.base import kind_of
from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON, get_folded, is_array
from policyengine.templates.compiled import sent_of
from policyengine.templates.copy import evaluated
from policyengine.templates.evaluated import with_function
from policyengine.templates.live_reads import Absent, Answers, LiveRead, OnlyWhole, Reader, Unread
from policyengine.templates.nested import NestedDeployment, open_nested, outputs_of
from policyengine.templates.occurrences import Occurrence, Site, occurrences, text_of
from policyengine.templates.ordering import Declared, link
from policyengine.templates.scope import DeploymentScope
from policyengine.templates.surroundings import surroundings

_NO_ANSWERS: Answers = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Expansion:
    """What deploying a template would do; at most one of the three is not empty.

    ``writes`` stand each after those they depend on. ``reads`` are needed before more can be said: expand again with
    their answers. ``only_whole`` says why only Resource Manager can carry the template out.
    """

    writes: tuple[ResourceWrite, ...] = ()
    reads: tuple[LiveRead, ...] = ()
    only_whole: str = ""


def expand(
    template: Mapping[str, JSON],
    parameters: Mapping[str, JSON],
    scope: DeploymentScope,
    answers: Answers = _NO_ANSWERS,
) -> Expansion:
    """What deploying ``template`` to ``scope`` would do, given the ``answers`` to reads it asked for before.

    ``parameters`` has the shape of a deployment's own: ``{name: {"value": …}}``, values evaluated. A member whose
    value is null is sent as null. Raises TemplateError, which names the place in the template.
    """
    reader = Reader(answers)
    absent: list[tuple[str, Absent]] = []
    try:
        deployment = NestedDeployment(template, surroundings(template, parameters, scope, reader), scope)
        writes = _Expander(reader, absent).expand(deployment, "")
    except OnlyWhole as whole:
        return Expansion(only_whole=whole.reason)
    except Unread:
        return Expansion(reads=tuple(reader.unanswered))
    if reader.unanswered:
        return Expansion(reads=tuple(reader.unanswered))
    return Expansion(only_whole=_made_on_the_way(absent, writes)) if absent else Expansion(writes)


def _made_on_the_way(absent: list[tuple[str, Absent]], writes: tuple[ResourceWrite, ...]) -> str:
    """Why a resource that is not there is no error: the deployment makes it before it reads it."""
    made = {write.id for write in writes}
    for place, missing in absent:
        if missing.read.id not in made:
            raise TemplateError(f"{place}: `{missing.read.id}` does not exist, and `reference()` reads it")
    return f"it reads `{absent[0][1].read.id.name}`, which it makes itself"


@dataclass(frozen=True, slots=True)
class _Expander:
    reader: Reader
    absent: list[tuple[str, Absent]]

    def expand(
        self, deployment: NestedDeployment, place: str, around: _Directory | None = None
    ) -> tuple[ResourceWrite, ...]:
        """``around``: what `reference()` knows in the template around, whose expressions an outer one shares."""
        directory = self.directory(deployment, place, around)
        return link([self.declared(found, directory) for found in directory.found])

    def directory(self, deployment: NestedDeployment, place: str, around: _Directory | None) -> _Directory:
        resources = get_folded(deployment.template, "resources")
        if isinstance(resources, Mapping):
            raise OnlyWhole("its template names resources by symbols (language version 2.0)")
        if not is_array(resources):
            raise TemplateError(f"{place}`resources` of the template must be an array, got {kind_of(resources)}")
        directory = _Directory(self, None if deployment.is_inner else around)
        context = with_function(deployment.context, "reference", directory.reference)
        directory.context = context
        directory.sources = lambda: occurrences(resources, Site(context, deployment.scope, place))
        return directory

    def declared(self, found: Occurrence, directory: _Directory) -> Declared:
        """What the resource writes; nothing as long as a read of its own is open."""
        place, names = found.site.place, found.names
        if not found.is_on:
            return Declared(place, names, frozenset(), ())
        directory.implied = set()
        try:
            if found.header.is_deployment:
                writes = self.expand(self.opened(found), f"{place}.properties.template.", directory)
            else:
                writes = (_write(found),)
        except Unread:
            writes = ()
        except Absent as missing:
            self.absent.append((place, missing))
            writes = ()
        return Declared(place, names, _depends_on(found) | directory.implied, writes)

    def opened(self, found: Occurrence) -> NestedDeployment:
        return open_nested(found.resource, found.site.context, found.target, self.reader, found.site.place)


@dataclass(slots=True, eq=False)
class _Directory:
    """What `reference()` can mean in one template: what it declares, what the template around does, the live fleet.

    ``implied``: what the resource being expanded has referred to, and so depends on without saying it.
    """

    expander: _Expander
    around: _Directory | None
    context: ExpressionContext = field(init=False)
    sources: Callable[[], Iterator[Occurrence]] = field(init=False)
    implied: set[str] = field(default_factory=set, init=False)
    _found: tuple[Occurrence, ...] | None = field(default=None, init=False)
    _open: set[str] = field(default_factory=set, init=False)

    @property
    def found(self) -> tuple[Occurrence, ...]:
        if self._found is None:
            with self._once("names, types and `copy` of resources"):
                self._found = tuple(self.sources())
        return self._found

    def reference(self, target: str, api_version: str = "", full: str = "") -> JSON:
        """`reference()`: outputs of a deployment declared here, else a live read.

        What the template itself writes exists only later, so only Resource Manager can read it.
        """
        owner, found = self.find(target.rstrip("/").casefold())
        if found is None:
            return self.expander.reader.reference(target, api_version, full)
        if found.header.is_deployment:
            properties = {"provisioningState": "Succeeded", "outputs": owner.outputs(found)}
            return {"properties": properties} if full.casefold() == "full" else properties
        if found.is_on:
            raise OnlyWhole(f"it reads `{found.id.name}`, which it writes itself")
        version = api_version or text_of(found.resource, "apiVersion", found.site)
        return self.expander.reader.reference(found.id.text, version, full)

    def find(self, name: str) -> tuple[_Directory, Occurrence | None]:
        """The resource that ``name`` (folded) means, and the directory of the template that declares it."""
        own = next((found for found in self.found if name in found.names), None)
        if own is not None:
            self.implied.add(own.id.key)
            return self, own
        return (self, None) if self.around is None else self.around.find(name)

    def outputs(self, found: Occurrence) -> dict[str, JSON]:
        if not found.is_on:
            raise TemplateError(f"`reference('{found.header.name}')` reads a deployment whose condition is false")
        with self._once(f"the outputs of `{found.header.name}`"):
            nested = self.expander.opened(found)
            place = f"{found.site.place}.properties.template"
            return outputs_of(nested, self.expander.directory(nested, f"{place}.", self).context, place)

    @contextmanager
    def _once(self, what: str) -> Iterator[None]:
        """Raises TemplateError when the body needs, by `reference()`, what is being worked out."""
        if what in self._open:
            raise TemplateError(f"{what} cannot be worked out: they need each other by `reference()`")
        self._open.add(what)
        try:
            yield
        finally:
            self._open.discard(what)


def _write(found: Occurrence) -> ResourceWrite:
    return ResourceWrite(
        id=found.id,
        api_version=text_of(found.resource, "apiVersion", found.site),
        body=evaluated(sent_of(found.resource), found.site.context, found.site.place),
    )


def _depends_on(found: Occurrence) -> frozenset[str]:
    site = found.site
    value = evaluated(get_folded(found.resource, "dependsOn") or [], site.context, f"{site.place}: dependsOn")
    if not is_array(value) or not all(isinstance(name, str) for name in value):
        raise TemplateError(f"{site.place}: `dependsOn` must be an array of texts")
    return frozenset(name.rstrip("/").casefold() for name in value) | found.waits_for
