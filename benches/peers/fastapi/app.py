"""The ships API with FastAPI, served by uvicorn."""

import json
import os
from datetime import datetime, timedelta, timezone
from typing import Annotated
from uuid import uuid4

import jwt
import uvicorn
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict

SECRET = os.environ["BENCH_SECRET"]
ACCESS_TOKEN_TTL = timedelta(minutes=15)
REFRESH_TOKEN_TTL = timedelta(days=30)


class ShipFields(BaseModel):
    # Without it, "1" is a number.
    model_config = ConfigDict(strict=True)

    affiliation: str
    category: str
    crew: int
    length: int
    manufacturer: str
    model: str
    roles: list[str]
    ship_class: str


class ShipIn(ShipFields):
    id: int | None = None


class Ship(ShipFields):
    id: int


class Credentials(BaseModel):
    name: str
    password: str


class User(BaseModel):
    id: int
    name: str
    password_hash: str


class AccessToken(BaseModel):
    access_token: str


class Tokens(AccessToken):
    refresh_token: str


hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16)

with open(os.environ["BENCH_DATA"], encoding="utf-8") as file:
    data = json.load(file)

# Written by coroutines alone, and never across an await. A replaced value keeps its place, and so
# the ships stay sorted by id.
ships = {ship["id"]: Ship(**ship) for ship in sorted(data["ships"], key=lambda ship: ship["id"])}
users = {
    user["id"]: User(
        id=user["id"], name=user["name"], password_hash=hasher.hash(user["password"])
    )
    for user in data["users"]
}
users_by_name = {user.name: user for user in users.values()}
revoked: set[str] = set()

app = FastAPI()
bearer = HTTPBearer()


# The default is 422.
@app.exception_handler(RequestValidationError)
async def bad_request(request: Request, error: RequestValidationError):
    return JSONResponse({"msg": str(error.errors()[0]["msg"])}, status_code=400)


def create_token(user: User, kind: str) -> str:
    now = datetime.now(timezone.utc)
    ttl = ACCESS_TOKEN_TTL if kind == "access" else REFRESH_TOKEN_TTL
    claims = {"iat": now, "nbf": now, "jti": str(uuid4()), "exp": now + ttl, "identity": user.id}
    if kind == "access":
        claims["fresh"] = False
    claims["type"] = kind
    return jwt.encode(claims, SECRET, algorithm="HS256")


def user_of(token: str, kind: str) -> User:
    """The user of a good token of that kind."""
    unauthorized = HTTPException(401, "Bad token.", headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(
            token,
            SECRET,
            algorithms=["HS256"],
            options={"require": ["exp", "nbf", "jti", "identity", "type"]},
        )
    except jwt.InvalidTokenError:
        raise unauthorized
    if claims["type"] != kind or claims["jti"] in revoked:
        raise unauthorized
    user = users.get(claims["identity"])
    if user is None:
        raise unauthorized
    return user


BearerToken = Annotated[HTTPAuthorizationCredentials, Depends(bearer)]


# Coroutines, as a plain function would be called in the thread pool.
async def access_user(token: BearerToken) -> User:
    return user_of(token.credentials, "access")


async def refresh_user(token: BearerToken) -> User:
    return user_of(token.credentials, "refresh")


@app.get("/api/ships", response_model=list[Ship])
async def ships_list():
    return list(ships.values())


@app.get("/api/ships/{ship_id}", response_model=Ship)
async def ships_get(ship_id: int):
    ship = ships.get(ship_id)
    if ship is None:
        raise HTTPException(404, "No such ship.")
    return ship


@app.put("/api/ships/{ship_id}", response_model=Ship)
async def ships_update(ship_id: int, body: ShipIn, user: Annotated[User, Depends(access_user)]):
    if body.id not in (None, ship_id):
        raise HTTPException(400, "The id is that of another ship.")
    if ship_id not in ships:
        raise HTTPException(404, "No such ship.")
    ship = Ship(**body.model_dump(exclude={"id"}), id=ship_id)
    ships[ship_id] = ship
    return ship


# A plain function, so that the hash is computed in the thread pool and not on the event loop.
@app.post("/auth/login", response_model=Tokens)
def login(credentials: Credentials):
    user = users_by_name.get(credentials.name)
    try:
        if user is None or not hasher.verify(user.password_hash, credentials.password):
            raise HTTPException(401, "Bad name or password.")
    except VerifyMismatchError:
        raise HTTPException(401, "Bad name or password.")
    return Tokens(
        access_token=create_token(user, "access"), refresh_token=create_token(user, "refresh")
    )


@app.post("/auth/refresh", response_model=AccessToken)
async def refresh(user: Annotated[User, Depends(refresh_user)]):
    return AccessToken(access_token=create_token(user, "access"))


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
