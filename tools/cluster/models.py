"""What the answers must be: models of a fleet (some ships), of a crew (some users), of a token, and of the ids.

A fleet or a crew is one object for the check, with all that its operations can see: its ships have an affiliation that no other
ship has, and its users have names from a pool of their own.
"""

from linearizability import FOREVER

# The parts of a ship that operations change; `maker` names the create, and never changes.
CREW, LENGTH, MODEL, MAKER = range(4)
SORTS = {"crew": CREW, "length": LENGTH, "model": MODEL, "manufacturer": MAKER}


def _with(state, id_, value):
    """The state with another value of one id; None for no value."""
    rest = [pair for pair in state if pair[0] != id_]
    return tuple(sorted([*rest, (id_, value)] if value is not None else rest))


def value_of(state, id_):
    return next((value for key, value in state if key == id_), None)


def select(state, query):
    """The page and the total that a query of a list gives. `query` is (field, bound, sort, descending, limit)."""
    field, bound, sort, descending, limit = query
    found = [pair for pair in state if field is None or pair[1][SORTS[field]] >= bound]
    if sort:
        # Equal ones stay in the order of their ids, also if the greatest comes first.
        found.sort(key=lambda pair: pair[1][SORTS[sort]], reverse=descending)
    return tuple(found[:limit]), len(found)


class Fleet:
    """Ships of one affiliation. The state is ((id, (crew, length, model, maker)), ...).

    Every write makes a ship that no earlier write made, so that a version stands for its content: `asked` has the content that
    the client had seen with the version of If-Match.
    """

    initial = ()
    READS = {"get", "list"}

    def __init__(self, ids_by_maker):
        """`ids_by_maker` has the ids under which the ships of creates were seen at any time."""
        self.ids_by_maker = ids_by_maker

    def reads(self, operation):
        return operation.kind in self.READS or (operation.status is not None and operation.status >= 400)

    def step(self, state, operation):
        return getattr(self, f"_{operation.kind}")(state, operation)

    def _create(self, state, operation):
        id_ = operation.found if operation.status == 201 else self.ids_by_maker.get(operation.asked[MAKER])
        if id_ is None:
            return state
        if value_of(state, id_) is not None or self.ids_by_maker.get(operation.asked[MAKER], id_) != id_:
            return None
        return _with(state, id_, operation.asked)

    def _get(self, state, operation):
        id_, known = operation.asked
        current = value_of(state, id_)
        expected = {200: current is not None and current == operation.found,
                    304: current is not None and current == known,
                    404: current is None}
        return state if expected[operation.status] else None

    def _list(self, state, operation):
        return state if select(state, operation.asked) == operation.found else None

    def _write(self, state, operation, change):
        id_, required = operation.asked[:2]
        current = value_of(state, id_)
        if operation.status == 404:
            return state if current is None else None
        if operation.status == 412:
            return state if current is not None and required is not None and current != required else None
        fits = current is not None and required in (None, current)
        if operation.is_unknown and not fits:
            return state
        return change(current) if fits else None

    def _put(self, state, operation):
        id_, _, content = operation.asked
        return self._write(state, operation, lambda _: _with(state, id_, content))

    def _patch(self, state, operation):
        id_, _, part = operation.asked

        def change(current):
            content = tuple(new if new is not None else old for old, new in zip(current, part))
            if not operation.is_unknown and content != operation.found:
                return None
            return _with(state, id_, content)

        return self._write(state, operation, change)

    def _delete(self, state, operation):
        id_ = operation.asked[0]
        return self._write(state, operation, lambda _: _with(state, id_, None))


class Crew:
    """Users with names from one pool. The state is ((id, (name, password, version)), ...); an unknown version is None."""

    initial = ()
    READS = {"get", "login", "list"}

    def __init__(self, ids_by_password, orphans):
        """`ids_by_password` has the ids to which passwords logged in; `orphans` the ids by name that no create answered."""
        self.ids_by_password, self.orphans = ids_by_password, orphans

    def reads(self, operation):
        return operation.kind in self.READS or (operation.status is not None and operation.status >= 400)

    def step(self, state, operation):
        return getattr(self, f"_{operation.kind}")(state, operation)

    def _create(self, state, operation):
        name, password = operation.asked
        taken = any(value[0] == name for _, value in state)
        if operation.status == 400:
            return state if taken else None
        if operation.is_unknown:
            id_ = self._orphan(state, name, password)
            return state if taken or id_ is None else _with(state, id_, (name, password, None))
        id_, version = operation.found
        return None if taken or value_of(state, id_) is not None else _with(state, id_, (name, password, version))

    def _orphan(self, state, name, password):
        """The id of a user that a create with an unknown outcome made, if it made one."""
        if password in self.ids_by_password:
            return self.ids_by_password[password]
        logged_in = self.ids_by_password.values()
        return next((id_ for id_ in self.orphans.get(name, ())
                     if id_ not in logged_in and value_of(state, id_) is None), None)

    def _get(self, state, operation):
        """Binds the version, if a write with an unknown outcome left an unknown one."""
        id_ = operation.asked
        current = value_of(state, id_)
        if operation.status == 404:
            return state if current is None else None
        if current is None or current[0] != operation.found[0] or current[2] not in (None, operation.found[1]):
            return None
        return state if current[2] else _with(state, id_, (current[0], current[1], operation.found[1]))

    def _list(self, state, operation):
        found = tuple((id_, value[0]) for id_, value in state if value[0] in operation.asked)
        return state if found == operation.found else None

    def _login(self, state, operation):
        name, password = operation.asked
        owner = next((id_ for id_, value in state if value[:2] == (name, password)), None)
        return state if owner == operation.found else None

    def _write(self, state, operation, change):
        """401 and 404 both mean that the user is gone: which one depends on how far the request had come."""
        id_, required = operation.asked[:2]
        current = value_of(state, id_)
        if operation.status in (401, 404):
            return state if current is None else None
        matches = current is not None and (required is None or current[2] in (None, required))
        if operation.status == 412:
            return state if current is not None and required is not None and current[2] != required else None
        if not matches:
            return state if operation.is_unknown else None
        return change(current)

    def _change(self, state, operation):
        """A PUT or PATCH; a name or a password of None stays as it is."""
        id_, _, name, password = operation.asked
        taken = name is not None and any(value[0] == name and key != id_ for key, value in state)
        if operation.status == 400:
            return state if taken and value_of(state, id_) is not None else None

        def change(current):
            if taken:
                return state if operation.is_unknown else None
            content = (name or current[0], password or current[1])
            if not operation.is_unknown and content[0] != operation.found[0]:
                return None
            version = None if operation.is_unknown else operation.found[1]
            return _with(state, id_, (*content, version))

        return self._write(state, operation, change)

    def _delete(self, state, operation):
        return self._write(state, operation, lambda _: _with(state, operation.asked[0], None))


def check_token(issued, uses, ends):
    """The answers to the requests with one token. A token is valid until it ends, and has ended from then on.

    `issued` is (start, end). `uses` are (start, end, accepted). `ends` are (start, end, known) of what ends the token; whether a
    request happened whose outcome is not known is not known either. Returns the reason of a violation, or None.
    """
    relevant = [end for end in ends if end[1] >= issued[0]]
    # An event that overlaps with the issue may have come before it.
    ended = min((end for start, end, known in relevant if known and start > issued[1]), default=FOREVER)
    may_end = min((start for start, _, _ in relevant), default=FOREVER)
    refused = min((end for _, end, accepted in uses if not accepted), default=FOREVER)
    for start, end, accepted in uses:
        if accepted and start > ended:
            return f"let in {(start - ended) / 1e6:.3f} ms after the end of the token was answered"
        if accepted and start > refused:
            return f"let in {(start - refused) / 1e6:.3f} ms after it was refused"
        if not accepted and end < may_end:
            return f"refused, although nothing had ended it (at {end}, first possible end {may_end})"
    return None


def check_ids(creates, unknown, greatest_before, seen):
    """Ids are given out once, in order, without gaps.

    `creates` are (start, end, id) of the acknowledged creates, `unknown` the number of creates whose outcome is not known, `seen`
    all ids that any answer had. Returns the reasons of all violations.
    """
    reasons, acknowledged = [], {}
    for start, end, id_ in creates:
        if id_ in acknowledged:
            reasons.append(f"id {id_} was given out twice")
        if id_ <= greatest_before:
            reasons.append(f"id {id_} was taken before")
        acknowledged[id_] = (start, end)
    greatest = max([*acknowledged, *seen, greatest_before])
    missing = greatest - greatest_before - len([id_ for id_ in acknowledged if id_ > greatest_before])
    if missing > unknown:
        reasons.append(f"{missing} ids up to {greatest} are not accounted for, and only {unknown} creates have an unknown "
                       "outcome")
    # Real time: a create that ended before another one started has the smaller id.
    by_end = sorted(creates, key=lambda create: create[1])
    by_start = sorted(creates, key=lambda create: create[0])
    before, highest = 0, 0
    for start, _, id_ in by_start:
        while by_end[before][1] < start:
            highest = max(highest, by_end[before][2])
            before += 1
        if id_ < highest:
            reasons.append(f"id {id_} was given out after {highest}")
    return reasons
