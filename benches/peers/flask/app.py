"""The ships API with Flask and Flask-JWT-Extended."""

import json
import os
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_current_user,
    jwt_required,
)
from werkzeug.exceptions import BadRequest

FIELDS = {
    "affiliation": str,
    "category": str,
    "crew": int,
    "length": int,
    "manufacturer": str,
    "model": str,
    "roles": list,
    "ship_class": str,
}

hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16)

with open(os.environ["BENCH_DATA"], encoding="utf-8") as file:
    data = json.load(file)

# Requests run in threads. Each reads a dict or replaces one value of it, which is atomic, so
# there is no lock. A replaced value keeps its place, and so the ships stay sorted by id.
ships = {ship["id"]: ship for ship in sorted(data["ships"], key=lambda ship: ship["id"])}
users = {
    user["id"]: {
        "id": user["id"],
        "name": user["name"],
        "password_hash": hasher.hash(user["password"]),
    }
    for user in data["users"]
}
users_by_name = {user["name"]: user for user in users.values()}
revoked = set()

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["BENCH_SECRET"]
app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(minutes=15)
app.config["JWT_REFRESH_TOKEN_EXPIRES"] = timedelta(days=30)
# `sub`, the default, has to be text; `identity` may be the number that it is.
app.config["JWT_IDENTITY_CLAIM"] = "identity"
# Tokens come in the Authorization header and never in a cookie.
app.config["JWT_COOKIE_CSRF_PROTECT"] = False
app.json.compact = True
jwt = JWTManager(app)


@jwt.token_in_blocklist_loader
def is_revoked(jwt_header, jwt_payload):
    return jwt_payload["jti"] in revoked


@jwt.user_identity_loader
def identity_of(user):
    return user["id"]


@jwt.user_lookup_loader
def user_of(jwt_header, jwt_payload):
    return users.get(jwt_payload["identity"])


# The default is 422.
@jwt.invalid_token_loader
def invalid_token(reason):
    return {"msg": reason}, 401


@app.errorhandler(BadRequest)
def bad_request(error):
    return {"msg": error.description}, 400


def json_object():
    body = request.get_json()
    if not isinstance(body, dict):
        raise BadRequest("Not a JSON object.")
    return body


def ship_from(body, ship_id):
    """The ship in a body, with all of its fields checked."""
    if body.get("id", ship_id) != ship_id:
        raise BadRequest("The id is that of another ship.")
    ship = {"id": ship_id}
    for name, kind in FIELDS.items():
        # type(), as isinstance() takes true for a number.
        if type(body.get(name)) is not kind:
            raise BadRequest(f"{name}: not a valid {kind.__name__}.")
        ship[name] = body[name]
    if not all(isinstance(role, str) for role in ship["roles"]):
        raise BadRequest("roles: not a list of str.")
    return ship


@app.get("/api/ships")
def ships_list():
    return list(ships.values())


@app.get("/api/ships/<int:ship_id>")
def ships_get(ship_id):
    ship = ships.get(ship_id)
    if ship is None:
        return {"msg": "No such ship."}, 404
    return ship


@app.put("/api/ships/<int:ship_id>")
@jwt_required()
def ships_update(ship_id):
    ship = ship_from(json_object(), ship_id)
    if ship_id not in ships:
        return {"msg": "No such ship."}, 404
    ships[ship_id] = ship
    return ship


@app.post("/auth/login")
def login():
    body = json_object()
    name, password = body.get("name"), body.get("password")
    if not isinstance(name, str) or not isinstance(password, str):
        raise BadRequest("name and password have to be text.")
    user = users_by_name.get(name)
    try:
        if user is None or not hasher.verify(user["password_hash"], password):
            return {"msg": "Bad name or password."}, 401
    except VerifyMismatchError:
        return {"msg": "Bad name or password."}, 401
    return {
        "access_token": create_access_token(identity=user),
        "refresh_token": create_refresh_token(identity=user),
    }


@app.post("/auth/refresh")
@jwt_required(refresh=True)
def refresh():
    return {"access_token": create_access_token(identity=get_current_user())}
