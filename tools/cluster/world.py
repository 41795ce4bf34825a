"""What the clients of one process know: tokens, fleets of ships and crews of users, with the history of each."""

import base64
import json
from dataclasses import dataclass, field

from linearizability import FOREVER, Operation, check
from models import CREW, LENGTH, MAKER, MODEL, Crew, Fleet, check_token

# An object gets no more operations than this, so that the check stays fast.
MOST_OPERATIONS, MOST_UNKNOWN = 400, 12


def payload(token):
    """The claims of a token."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@dataclass(slots=True)
class User:
    """A user as its clients know it. Times are (start, end, known)."""

    id: int
    name: str
    # Passwords that it may have, the newest last.
    passwords: list
    version: str | None = None
    changes: list = field(default_factory=list)
    deletions: list = field(default_factory=list)
    crew: "CrewObject | None" = None


@dataclass(slots=True, eq=False)
class Token:
    """A token, with the answers that it got. Times are as in User."""

    text: str
    is_refresh: bool
    user: User
    issued: tuple
    uses: list = field(default_factory=list)
    # Requests of an owner that got 404: the token was not logged out, but its user may be deleted.
    gone: list = field(default_factory=list)
    logouts: list = field(default_factory=list)

    def is_ended(self):
        return any(known for _, _, known in self.logouts)

    def is_doubtful(self):
        """Whether anything that was begun may end it."""
        changes = self.user.changes if self.is_refresh else []
        return bool(self.logouts or self.user.deletions or changes)

    def violation(self):
        changes = self.user.changes if self.is_refresh else []
        reason = (check_token(self.issued, self.uses, [*self.logouts, *self.user.deletions, *changes])
                  or check_token(self.issued, self.gone, self.logouts))
        return reason and f"{'refresh' if self.is_refresh else 'access'} token of user {self.user.id}: {reason}"


class _Object:
    def __init__(self, name):
        self.name, self.history, self.unknown, self.violations = name, [], 0, []

    def add(self, kind, start, end, status, asked, found=None):
        self.history.append(Operation(kind, start, FOREVER if status is None else end, status, asked, found))
        self.unknown += status is None

    def is_full(self):
        return len(self.history) >= MOST_OPERATIONS or self.unknown >= MOST_UNKNOWN

    def check(self):
        """The reasons of all violations, and the configurations that the search took."""
        verdict = check(self.model(), self.likely())
        if not verdict.ok:
            verdict = check(self.model(), self.history)
        reasons = [*self.violations, *([] if verdict.ok else [verdict.reason])]
        return [f"{self.name}: {reason}" for reason in reasons], verdict.configurations

    def likely(self):
        """A history with fewer choices: if it is linearizable, so is the whole."""
        return self.history


class FleetObject(_Object):
    """Ships of one affiliation."""

    kind = "ship"

    def __init__(self, name):
        super().__init__(name)
        # The last content seen of each id, with its version; and every version ever seen.
        self.ships, self.contents, self.versions = {}, {}, {}
        # The ids seen of each create.
        self.makers = {}

    def saw(self, id_, content, version=None):
        """Records a ship in an answer. A version must stand for one content, and a create for one id."""
        if self.makers.setdefault(content[MAKER], id_) != id_:
            self.violations.append(f"the ship of {content[MAKER]} has the ids {self.makers[content[MAKER]]} and {id_}")
        if version is None:
            return
        self.ships[id_] = (content, version)
        if self.contents.setdefault((id_, version), content) != content:
            self.violations.append(f"ship {id_}: version {version} is {self.contents[id_, version]} and {content}")
        if self.versions.setdefault((id_, content), version) != version:
            self.violations.append(f"ship {id_}: {content} has the versions {self.versions[id_, content]} and {version}")

    def model(self):
        return Fleet(self.makers)

    def likely(self):
        """An unknown write whose value was seen took effect before that; one whose value was never seen, and that of a ship
        that was never seen, may be left out."""
        seen = {}
        for operation in self.history:
            for id_, content in _shown(operation):
                for part in (CREW, LENGTH, MODEL):
                    key = (id_, part, content[part])
                    seen[key] = min(seen.get(key, FOREVER), operation.end)
        kept = []
        for operation in self.history:
            if operation.is_unknown and operation.kind in ("put", "patch"):
                id_, _, content = operation.asked
                ends = [seen.get((id_, part, content[part]), FOREVER) for part in (CREW, LENGTH, MODEL)
                        if content[part] is not None]
                if min(ends) == FOREVER:
                    continue
                operation = Operation(operation.kind, operation.start, min(ends), None, operation.asked)
            kept.append(operation)
        return kept


def _shown(operation):
    """The ships that an answer shows."""
    if operation.status in (200, 201):
        if operation.kind == "list":
            return operation.found[0]
        if operation.kind in ("get", "patch"):
            return [(operation.asked[0], operation.found)]
    return []


class CrewObject(_Object):
    """Users with names from one pool."""

    kind = "user"

    def __init__(self, name, size=4):
        super().__init__(name)
        self.names = [f"{name}-{number}" for number in range(size)]
        self.users = {}

    def model(self):
        created = {operation.found[0] for operation in self.history
                   if operation.kind == "create" and operation.status == 201}
        logins = {operation.asked[1]: operation.found for operation in self.history
                  if operation.kind == "login" and operation.found is not None}
        orphans = {}
        for operation in self.history:
            seen = []
            if operation.kind == "list":
                seen = operation.found
            elif operation.kind == "get" and operation.status == 200:
                seen = [(operation.asked, operation.found[0])]
            for id_, name in seen:
                if id_ not in created and id_ not in orphans.setdefault(name, []):
                    orphans[name].append(id_)
        unknown = {operation.asked[1] for operation in self.history
                   if operation.kind == "create" and operation.is_unknown}
        return Crew({password: id_ for password, id_ in logins.items() if password in unknown}, orphans)

    def is_full(self):
        return super().is_full() or self.unknown >= MOST_UNKNOWN // 2
