"""Random operations on ships."""

import wire
from models import CREW, LENGTH, MAKER, MODEL, SORTS

FIXED = {"category": "Test", "roles": ["Target"], "ship_class": "Drone"}
FIELDS = {CREW: "crew", LENGTH: "length", MODEL: "model", MAKER: "manufacturer"}


class Ships:
    """The operations of Load on its fleets."""

    def ship_body(self, fleet, content):
        return FIXED | {"affiliation": fleet.name} | {name: content[part] for part, name in FIELDS.items()}

    def read_ship(self, fleet, ship):
        """The id and the content of a ship in an answer."""
        expected = FIXED | {"affiliation": fleet.name}
        if {name: ship.get(name) for name in expected} != expected:
            self.report.violations.append(f"{fleet.name}: a ship of another fleet: {ship}")
        return ship["id"], tuple(ship[FIELDS[part]] for part in (CREW, LENGTH, MODEL, MAKER))

    def new_content(self, maker=None):
        number = self.unique()
        return number, self.unique(), f"m{number}", maker or f"c{number}"

    async def create_ship(self, connections):
        fleet, content = self.fleet(), self.new_content()
        if len(fleet.ships) > 4 and self.rng.random() < 0.7:
            return await self.get_ship(connections)
        answer = await self.change(connections, fleet, "create", content, "POST", "/api/ships",
                                   self.ship_body(fleet, content), token=self.any_access(), accepted={201})
        if answer:
            id_, found = self.read_ship(fleet, answer.json())
            self.report.creates["ships"].append((answer.start, answer.end, id_))
            if found != content or not (answer.field(wire.LOCATION) or "").endswith(f"/api/ships/{id_}"):
                self.unexpected("create", answer)
            fleet.saw(id_, content, answer.field(wire.TAG))
            fleet.add("create", answer.start, answer.end, 201, content, id_)

    def known_ship(self, fleet):
        id_ = self.rng.choice(list(fleet.ships))
        return id_, *fleet.ships[id_]

    async def get_ship(self, connections):
        fleet = self.fleet()
        if not fleet.ships:
            return
        id_, content, version = self.known_ship(fleet)
        conditional = self.rng.random() < 0.2
        extra = [("If-None-Match", version)] if conditional else []
        answer = await self.ask(connections, "get_ship", "GET", f"/api/ships/{id_}", extra=extra)
        found = None
        if answer.status == 200:
            _, found = self.read_ship(fleet, answer.json())
            fleet.saw(id_, found, answer.field(wire.TAG))
        elif answer.status != 404 and not (conditional and answer.status == 304):
            return self.unexpected("get", answer)
        fleet.add("get", answer.start, answer.end, answer.status, (id_, content), found)

    async def put_ship(self, connections):
        fleet = self.fleet()
        if fleet.ships:
            id_, old, version = self.known_ship(fleet)
            content = self.new_content(old[MAKER])
            await self.replace(connections, fleet, "put", id_, old, version, content, self.ship_body(fleet, content))

    async def patch_ship(self, connections):
        fleet = self.fleet()
        if fleet.ships:
            id_, old, version = self.known_ship(fleet)
            number = self.unique()
            part = self.rng.choice([(number, None, None, None), (None, number, None, None), (None, None, f"m{number}", None)])
            body = {FIELDS[index]: value for index, value in enumerate(part) if value is not None}
            await self.replace(connections, fleet, "patch", id_, old, version, part, body)

    async def replace(self, connections, fleet, kind, id_, old, version, content, body):
        required = self.rng.random() < 0.5
        asked = (id_, old if required else None, content)
        answer = await self.change(
            connections, fleet, kind, asked, kind.upper(), f"/api/ships/{id_}", body, token=self.any_access(),
            accepted={200, 404, *((412,) if required else ())}, version=version if required else None)
        if answer:
            found = None
            if answer.status == 200:
                _, found = self.read_ship(fleet, answer.json())
                fleet.saw(id_, found, answer.field(wire.TAG))
                if kind == "put" and found != content:
                    self.unexpected("put", answer)
            fleet.add(kind, answer.start, answer.end, answer.status, asked, found)

    async def delete_ship(self, connections):
        fleet = self.fleet()
        if not fleet.ships:
            return
        id_, old, version = self.known_ship(fleet)
        required = self.rng.random() < 0.5
        asked = (id_, old if required else None)
        answer = await self.change(
            connections, fleet, "delete", asked, "DELETE", f"/api/ships/{id_}", token=self.any_access(),
            accepted={204, 404, *((412,) if required else ())}, version=version if required else None)
        if answer:
            fleet.add("delete", answer.start, answer.end, answer.status, asked)
            if answer.status != 412 and self.rng.random() < 0.8:
                fleet.ships.pop(id_, None)

    async def list_ships(self, connections, fleet=None, where=None):
        whole, fleet = fleet is not None, fleet or self.fleet()
        query = (None, 0, None, False, 1000) if whole or self.rng.random() < 0.3 else self.any_query(fleet)
        field, bound, sort, descending, limit = query
        path = f"/api/ships?affiliation={fleet.name}&limit={limit}"
        if field:
            path += f"&{field}.gte={bound}"
        if sort:
            path += f"&sort={'-' if descending else ''}{sort}"
        answer = await self.ask(connections, "list_ships", "GET", path, where=where)
        if answer.status != 200:
            return self.unexpected("list", answer)
        page = tuple(self.read_ship(fleet, ship) for ship in answer.json())
        for id_, content in page:
            fleet.saw(id_, content)
            if id_ not in fleet.ships and (version := fleet.versions.get((id_, content))):
                fleet.ships[id_] = (content, version)
        fleet.add("list", answer.start, answer.end, 200, query, (page, int(answer.field(wire.TOTAL))))

    def any_query(self, fleet):
        field = self.rng.choice([None, "crew", "length"])
        known = [content[SORTS[field]] for content, _ in fleet.ships.values()] if field else []
        sort = self.rng.choice([None, *SORTS])
        return field, self.rng.choice(known or [1]), sort, bool(sort) and self.rng.random() < 0.5, self.rng.choice([1, 2, 1000])
