"""Do OpenFGA's sample stores decide the same through ACLs, ACL objects and groups?

    python tests/conformance/openfga.py STORES

reads every store below STORES (a clone of openfga/sample-stores), turns the relations of each model into ACLs and ACL
objects, tuples of groups into groups of identities, and compares `visible` with what the store's tests assert. Each
relation of each type is a tenant: its documents are the objects of that type, and who may see one has the relation.

- a direct user -> `user:TYPE:ID`; `TYPE:*` -> `group:TYPE:*`, which everybody of that type is in;
- `group:x#member` -> `group:group:x#member`, of which everybody is who reaches it through tuples;
- `or` -> more under `allow`; `and` -> `all_of`; `but not` -> `deny`, in an ACL object of its own where it stands inside an `or`;
- `viewer from parent` -> the ACL object of the parent, by inheritance.

What does not apply is counted with its reason. Needs the Python package, numpy and PyYAML.
"""

from __future__ import annotations

import collections
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterable

import numpy as np
import yaml
from safepassage import Identity, Index

TOKEN = re.compile(r"\[[^\]]*\]|\(|\)|but not|[A-Za-z0-9_\-]+")
Atom = str
Term = tuple[frozenset[frozenset[Atom]], frozenset[Atom]]
"""Whoever is all of one clause and none of the denied."""


class NotApplicable(Exception):
    """What has no counterpart here, and why."""


class Model:
    """The relations of every type, as expressions."""

    def __init__(self, text: str) -> None:
        self.relations: dict[str, dict[str, Any]] = collections.defaultdict(dict)
        kind = None
        for line in text.splitlines():
            line = line.split("#", 1)[0] if line.strip().startswith("#") else line
            if found := re.match(r"\s*(?:extend\s+)?type\s+(\S+)", line):
                kind = found.group(1)
                self.relations[kind]
            elif (found := re.match(r"\s*define\s+([^:\s]+)\s*:\s*(.*)$", line)) and kind:
                tokens = TOKEN.findall(found.group(2).split(" #")[0])
                self.relations[kind][found.group(1)] = self.parse(tokens)
                if tokens:
                    raise ValueError(f"{line}: {tokens} is left")

    def parse(self, tokens: list[str]) -> Any:
        left = self.operand(tokens)
        while tokens and tokens[0] in ("or", "and", "but not"):
            left = (tokens.pop(0), left, self.operand(tokens))
        return left

    def operand(self, tokens: list[str]) -> Any:
        token = tokens.pop(0)
        if token == "(":
            inner = self.parse(tokens)
            tokens.pop(0)
            return inner
        if token.startswith("["):
            return ("direct",)
        if tokens and tokens[0] == "from":
            tokens.pop(0)
            return ("from", token, tokens.pop(0))
        return ("computed", token)


class World:
    """A model with its tuples."""

    def __init__(self, model: Model, tuples: Iterable[dict[str, Any]]) -> None:
        self.model = model
        self.tuples: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        self.conditional: set[tuple[str, str]] = set()
        self.objects: dict[str, set[str]] = collections.defaultdict(set)
        for one in tuples:
            key = (one["object"], one["relation"])
            (self.conditional.add(key) if "condition" in one else self.tuples[key].append(one["user"]))
            for name in (one["object"], one["user"].split("#")[0]):
                if not name.endswith(":*"):
                    self.objects[name.split(":")[0]].add(name)
        self.acl_objects: dict[str, dict[str, Any]] = {}

    def expression(self, name: str, relation: str) -> Any:
        try:
            return self.model.relations[name.split(":")[0]][relation]
        except KeyError:
            raise NotApplicable("the relation is not in the model") from None

    def terms(self, name: str, relation: str, path: tuple[tuple[str, str], ...] = ()) -> list[Term]:
        """Who has `relation` to the object `name`."""
        if (name, relation) in path:
            return []
        if (name, relation) in self.conditional:
            raise NotApplicable("a condition: it is known when somebody asks, not before")
        return self.of(self.expression(name, relation), name, relation, (*path, (name, relation)))

    def of(self, expression: Any, name: str, relation: str, path: tuple[tuple[str, str], ...]) -> list[Term]:
        kind = expression[0]
        if kind == "direct":
            clauses = frozenset(frozenset([self.atom(user)]) for user in self.tuples[name, relation])
            return [(clauses, frozenset())] if clauses else []
        if kind == "computed":
            return self.terms(name, expression[1], path)
        if kind == "from":
            found: list[Term] = []
            for parent in self.tuples[name, expression[2]]:
                if expression[1] in self.model.relations[parent.split(":")[0]]:
                    found += self.terms(parent, expression[1], path)
            return merged(found)
        left = self.of(expression[1], name, relation, path)
        right = self.of(expression[2], name, relation, path)
        if kind == "or":
            return merged(left + right)
        if kind == "and":
            both = [(frozenset(a | b for a in x for b in y), d | e) for x, d in left for y, e in right]
            return merged(both)
        if any(denied or any(len(clause) > 1 for clause in clauses) for clauses, denied in right):
            raise NotApplicable("what is taken away is itself composed")
        gone = frozenset(atom for clauses, _ in right for clause in clauses for atom in clause)
        return merged([(clauses, denied | gone) for clauses, denied in left])

    def atom(self, user: str) -> Atom:
        if "#" in user:
            return f"group:{user}"
        return f"group:{user}" if user.endswith(":*") else f"user:{user}"

    def groups(self, user: str) -> list[str]:
        """Every userset and wildcard that `user` (`TYPE:ID`, or a userset) is in, by any number of tuples."""
        known = {user} if "#" in user else {user.split(":")[0] + ":*"}
        while True:
            usersets = {member for members in self.tuples.values() for member in members if "#" in member} - known
            found = set()
            for userset in usersets:
                name, relation = userset.split("#")
                for clauses, denied in self.terms(name, relation):
                    have = {f"user:{user}"} | {f"group:{group}" for group in known}
                    if denied:
                        raise NotApplicable("a group with exceptions")
                    if any(clause <= have for clause in clauses):
                        found.add(userset)
            if not found:
                return sorted(known)
            known |= found

    def acl(self, name: str, relation: str) -> dict[str, Any]:
        """The ACL of a document, with the ACL objects it needs."""
        expression = self.expression(name, relation)
        if inherited := self.inherited(expression, name, relation):
            return inherited
        terms = self.terms(name, relation)
        plain = [term for term in terms if not term[1]]
        denying = [term for term in terms if term[1]]
        if len(denying) > 1:
            raise NotApplicable("several exceptions inside one `or`")
        own = acl_of(*(plain or [(frozenset(), frozenset())])[0])
        if not denying:
            return own
        if not plain:
            return acl_of(*denying[0])
        self.acl_objects[f"{name}#{relation}"] = acl_of(*denying[0])
        return own | {"parent": f"{name}#{relation}", "inherit": "child-overrides"}

    def inherited(self, expression: Any, name: str, relation: str) -> dict[str, Any] | None:
        """`X or Y from parent` by inheritance, where there is one parent and nothing is taken away."""
        if expression[0] != "or" or expression[2][0] != "from":
            return None
        parents = self.tuples[name, expression[2][2]]
        if len(parents) != 1 or expression[2][1] not in self.model.relations[parents[0].split(":")[0]]:
            return None
        own = merged(self.of(expression[1], name, relation, ((name, relation),)))
        above = self.terms(parents[0], expression[2][1], ((name, relation),))
        if any(denied for _, denied in [*own, *above]):
            return None
        parent = f"{parents[0]}#{expression[2][1]}"
        if parent not in self.acl_objects:
            self.acl_objects[parent] = {}
            self.acl_objects[parent] = self.acl(parents[0], expression[2][1])
        return acl_of(*(own or [(frozenset(), frozenset())])[0]) | {"parent": parent}


def merged(terms: list[Term]) -> list[Term]:
    """One term for each set of denied."""
    by_denied: dict[frozenset[Atom], frozenset[frozenset[Atom]]] = {}
    for clauses, denied in terms:
        by_denied[denied] = by_denied.get(denied, frozenset()) | clauses
    return [(clauses, denied) for denied, clauses in by_denied.items()]


def acl_of(clauses: frozenset[frozenset[Atom]], denied: frozenset[Atom]) -> dict[str, Any]:
    one = sorted(atom for clause in clauses if len(clause) == 1 for atom in clause)
    together = sorted(sorted(clause) for clause in clauses if len(clause) > 1)
    return {"allow": one, "deny": sorted(denied)} | ({"all_of": together} if together else {})


class Through:
    """The relations of a world as an index has them."""

    def __init__(self, world: World, folder: str) -> None:
        self.world = world
        self.index = Index.create(Path(folder) / "index", dim=2)
        self.made: dict[str, Any] = {}
        self.left_out: dict[tuple[str, str], NotApplicable] = {}
        self.sessions: dict[tuple[str, str], set[str]] = {}

    def visible(self, kind: str, relation: str, user: str, name: str | None = None) -> set[str]:
        """What `user` sees; of documents that had to be left out none may matter, or not `name`."""
        tenant = f"{kind}#{relation}"
        if tenant not in self.made:
            try:
                self.made[tenant] = self.make(kind, relation, tenant)
            except NotApplicable as reason:
                self.made[tenant] = reason
        if isinstance(self.made[tenant], NotApplicable):
            raise self.made[tenant]
        for (of, left_out), reason in self.left_out.items():
            if of == tenant and name in (None, left_out):
                raise reason
        if (tenant, user) not in self.sessions:
            identity = Identity.asserted(user, self.world.groups(user), tenant=tenant)
            self.sessions[tenant, user] = set(self.index.session(identity).visible()["documents"])
        return self.sessions[tenant, user]

    def make(self, kind: str, relation: str, tenant: str) -> None:
        self.world.acl_objects = {}
        known: dict[str, dict[str, Any]] = {}
        for name in sorted(self.world.objects[kind]):
            try:
                known[name] = self.world.acl(name, relation)
            except NotApplicable as reason:
                self.left_out[tenant, name] = reason
        names, acls = list(known), list(known.values())
        # Whatever order they come in, an object is stated before those below it.
        waiting = dict(self.world.acl_objects)
        while waiting:
            ready = [name for name, acl in waiting.items() if acl.get("parent") not in waiting]
            for name in ready or waiting:
                acl = waiting.pop(name)
                lists = {"allow": acl.get("allow", []), "deny": acl.get("deny", []), "all_of": acl.get("all_of")}
                self.index.set_acl_object(name, **lists, parent=acl.get("parent"), inherit=acl.get("inherit"), tenant=tenant)
        if names:
            self.index.add(names, vectors=np.ones((len(names), 2)), acls=acls, tenant=tenant)
            self.index.commit()


def read_model(store: Path, content: dict[str, Any]) -> Model:
    if "model" in content:
        return Model(content["model"])
    file = store.parent / content["model_file"]
    if file.suffix == ".mod":
        parts = yaml.safe_load(file.read_text())["contents"] if file.exists() else sorted(p.name for p in file.parent.glob("*.fga"))
        return Model("\n".join((file.parent / part).read_text() for part in parts))
    return Model(file.read_text())


def read_tuples(store: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    tuples = list(content.get("tuples") or [])
    if "tuple_file" in content:
        tuples += yaml.safe_load((store.parent / content["tuple_file"]).read_text()) or []
    return tuples


def main(folder: str) -> int:
    total: collections.Counter[str] = collections.Counter()
    reasons: collections.Counter[str] = collections.Counter()
    wrong = []
    for store in sorted(Path(folder).rglob("*.fga.yaml")):
        content = yaml.safe_load(store.read_text())
        if "tests" not in content:
            continue
        base = read_tuples(store, content)
        for test in content["tests"]:
            tuples = base + (test.get("tuples") or [])
            with tempfile.TemporaryDirectory() as scratch:
                through = Through(World(read_model(store, content), tuples), scratch)
                for what, query, relation, wanted in questions(test):
                    total[what] += 1
                    try:
                        if query.get("context"):
                            raise NotApplicable("a condition: it is known when somebody asks, not before")
                        said = ask(through, what, query, relation)
                    except NotApplicable as reason:
                        total[what + " n/a"] += 1
                        reasons[f"{what}: {reason}"] += 1
                        continue
                    if said != wanted:
                        wrong.append(f"{store.relative_to(folder)}: {test.get('name')}: {query} {relation}: {said}, not {wanted}")
    for what in ("check", "list_objects", "list_users"):
        applied = total[what] - total[what + " n/a"]
        print(f"{what:13} {total[what]:4}  applied {applied:4}  n/a {total[what + ' n/a']:4}")
    for reason, count in sorted(reasons.items()):
        print(f"  {count:4}  {reason}")
    print(f"{len(wrong)} differences")
    print(*wrong, sep="\n")
    return bool(wrong)


def questions(test: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any], str, Any]]:
    for query in test.get("check") or []:
        users, objects = query.get("users") or [query["user"]], query.get("objects") or [query["object"]]
        for relation, wanted in query["assertions"].items():
            for user in users:
                for name in objects:
                    yield "check", {**query, "user": user, "object": name}, relation, wanted
    for query in test.get("list_objects") or []:
        for relation, wanted in query["assertions"].items():
            yield "list_objects", query, relation, set(wanted or [])
    for query in test.get("list_users") or []:
        for relation, wanted in query["assertions"].items():
            yield "list_users", query, relation, set((wanted or {}).get("users") or [])


def ask(through: Through, what: str, query: dict[str, Any], relation: str) -> Any:
    if what == "check":
        kind = query["object"].split(":")[0]
        through.world.objects[kind].add(query["object"]) if f"{kind}#{relation}" not in through.made else None
        return query["object"] in through.visible(kind, relation, query["user"], query["object"])
    if what == "list_objects":
        return through.visible(query["type"], relation, query["user"])
    filters = query["user_filter"]
    if any("relation" in one for one in filters):
        raise NotApplicable("which usersets have a relation: only persons see documents")
    found = set()
    for one in filters:
        kind, name = one["type"], query["object"]
        if name in through.visible(name.split(":")[0], relation, f"{kind}:somebody-else", name):
            found.add(f"{kind}:*")
            continue
        found |= {user for user in through.world.objects[kind] if name in through.visible(name.split(":")[0], relation, user, name)}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
