"""Random operations on users."""

import time

import wire
from linearizability import FOREVER
from wire import Failed
from world import User


class Users:
    """The operations of Load on its crews."""

    async def create_user(self, connections):
        crew = self.crew()
        name, password = self.rng.choice(crew.names), f"secret{self.unique()}"
        answer = await self.change(connections, crew, "create", (name, password), "POST", "/api/users",
                                   {"name": name, "password": password}, token=None, accepted={201, 400})
        if answer is None:
            return
        found = None
        if answer.status == 201:
            id_, version = answer.json()["id"], answer.field(wire.TAG)
            self.report.creates["users"].append((answer.start, answer.end, id_))
            crew.users[id_] = User(id_, name, [password], version, crew=crew)
            found = (id_, version)
        crew.add("create", answer.start, answer.end, answer.status, (name, password), found)

    async def get_user(self, connections):
        crew = self.crew()
        if crew.users:
            id_ = self.rng.choice(list(crew.users))
            answer = await self.ask(connections, "get_user", "GET", f"/api/users/{id_}")
            if answer.status not in (200, 404):
                return self.unexpected("get", answer)
            found = None
            if answer.status == 200:
                user = crew.users[id_]
                user.name, user.version = answer.json()["name"], answer.field(wire.TAG)
                found = (user.name, user.version)
            crew.add("get", answer.start, answer.end, answer.status, id_, found)

    def owner(self):
        """An access token of a user of a crew."""
        owned = [token for token in self.access if token.user.crew in self.crews]
        return self.rng.choice(owned) if owned else None

    async def change_user(self, connections):
        token = self.owner()
        if token is None:
            return await self.log_in(connections)
        user, crew = token.user, token.user.crew
        name, password = self.rng.choice([(True, True), (True, False), (False, True)])
        name, password = name and self.rng.choice(crew.names) or None, password and f"secret{self.unique()}" or None
        required = user.version if self.rng.random() < 0.4 else None
        asked, body = (user.id, required, name, password), {"name": name, "password": password}
        method = "PUT" if name and password else "PATCH"
        if password:
            user.passwords.append(password)
        start = time.monotonic_ns()
        try:
            answer = await self.change(
                connections, crew, "change", asked, method, f"/api/users/{user.id}",
                {key: value for key, value in body.items() if value}, token=token,
                accepted={200, 401, 404, *((400,) if name else ()), *((412,) if required else ())}, version=required)
        except Failed as failed:
            if password and failed.is_unknown:
                user.changes.append((start, FOREVER, False))
            raise
        if answer is None:
            return
        found = None
        if answer.status == 200:
            found = (answer.json()["name"], answer.field(wire.TAG))
            user.name, user.version = found
            if password:
                user.changes.append((answer.start, answer.end, True))
        crew.add("change", answer.start, answer.end, answer.status, asked, found)

    async def delete_user(self, connections):
        token = self.owner()
        if token is None:
            return
        user, start = token.user, time.monotonic_ns()
        try:
            answer = await self.change(connections, user.crew, "delete", (user.id, None), "DELETE",
                                       f"/api/users/{user.id}", token=token, accepted={204, 401, 404})
        except Failed as failed:
            if failed.is_unknown:
                user.deletions.append((start, FOREVER, False))
            raise
        if answer is None:
            return
        if answer.status == 204:
            user.deletions.append((answer.start, answer.end, True))
        user.crew.add("delete", answer.start, answer.end, answer.status, (user.id, None))

    async def list_users(self, connections, crew=None, where=None):
        crew = crew or self.crew()
        path = "/api/users?limit=1000&" + "&".join(f"name={name}" for name in crew.names)
        answer = await self.ask(connections, "list_users", "GET", path, where=where)
        if answer.status != 200:
            return self.unexpected("list", answer)
        found = tuple((user["id"], user["name"]) for user in answer.json())
        crew.add("list", answer.start, answer.end, 200, tuple(crew.names), found)
