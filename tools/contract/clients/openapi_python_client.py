"""The recorded operations with the modules that openapi-python-client generates; prints each response as a line of JSON."""
import json
import sys
from typing import Any

from shipyard_client import AuthenticatedClient, Client
from shipyard_client.api.auth import auth_login, auth_logout_access_token, auth_logout_refresh_token, auth_refresh
from shipyard_client.api.ships import ships_create, ships_delete, ships_get, ships_list, ships_patch, ships_update
from shipyard_client.api.users import users_create, users_delete, users_get, users_list, users_update
from shipyard_client.models import (
    ApiError, ApiErrorMessagesByField, Credentials, NewShip, NewUser, ShipPatch, ShipUpdate, TokenPair, UserUpdate,
)
from shipyard_client.types import Response

URL = "http://localhost:5000"
NEW_SHIP = {
    "ship_class": "Star Destroyer",
    "model": "Imperial I-class Star Destroyer",
    "affiliation": "Empire",
    "category": "Capital Ships",
    "crew": 37085,
    "length": 1600,
    "manufacturer": "Kuat Drive Yards",
    "roles": ["Destroyer", "Carrier", "Military Transport", "Command Ship"],
}
REPLACEMENT = {**NEW_SHIP, "model": "Imperial II-class Star Destroyer", "crew": 37050}
INVALID = {**NEW_SHIP, "crew": 0, "length": -1, "roles": ["Destroyer", "Carrier"]}


def report(operation: str, response: Response[Any]) -> None:
    parsed = response.parsed
    body = [item.to_dict() for item in parsed] if isinstance(parsed, list) else parsed and parsed.to_dict()
    print(json.dumps({"operation": operation, "status": response.status_code, "body": body}))


def log_in(username: str, password: str) -> Response[ApiError | TokenPair]:
    return auth_login.sync_detailed(client=Client(URL), body=Credentials(username=username, password=password))


def clients(response: Response[ApiError | TokenPair]) -> tuple[AuthenticatedClient, AuthenticatedClient]:
    """One with the access token, one with the refresh token."""
    tokens = response.parsed
    assert isinstance(tokens, TokenPair), f"auth_login: {tokens}"
    return AuthenticatedClient(URL, token=tokens.access_token), AuthenticatedClient(URL, token=tokens.refresh_token)


def main() -> None:
    anyone = Client(URL)
    login = log_in("user", "password")
    report("auth_login", login)
    access, refresh = clients(login)
    report("auth_refresh", auth_refresh.sync_detailed(client=refresh))
    report("users_list", users_list.sync_detailed(client=anyone))
    report("users_get", users_get.sync_detailed(1, client=anyone))
    report("users_create", users_create.sync_detailed(client=anyone, body=NewUser(name="new user", password="secret")))
    new_user, _ = clients(log_in("new user", "secret"))
    renamed = UserUpdate(name="fancy new name", password="more secret")
    report("users_update", users_update.sync_detailed(3, client=new_user, body=renamed))
    report("users_delete", users_delete.sync_detailed(3, client=new_user))
    report("ships_list", ships_list.sync_detailed(client=anyone))
    report("ships_get", ships_get.sync_detailed(2, client=anyone))
    report("ships_create", ships_create.sync_detailed(client=access, body=NewShip.from_dict(NEW_SHIP)))
    report("ships_update", ships_update.sync_detailed(16, client=access, body=ShipUpdate.from_dict(REPLACEMENT)))
    report("ships_delete", ships_delete.sync_detailed(16, client=access))
    report("auth_logout_access_token", auth_logout_access_token.sync_detailed(client=access))
    report("auth_logout_refresh_token", auth_logout_refresh_token.sync_detailed(client=refresh))

    # Pages, and changes that must not overwrite those of another client.
    page = ships_list.sync_detailed(client=anyone, limit=2, sort="-crew")
    assert isinstance(page.parsed, list), page
    links = {"total": page.headers["X-Total-Count"], "next": 'rel="next"' in page.headers["Link"]}
    body = {"ids": [ship.id for ship in page.parsed], **links}
    print(json.dumps({"operation": "ships_list", "status": page.status_code, "body": body}))
    access, _ = clients(log_in("user", "password"))
    read = ships_get.sync_detailed(1, client=anyone)
    for crew in (2, 3):
        patch = ShipPatch(crew=crew)
        report("ships_patch", ships_patch.sync_detailed(1, client=access, body=patch, if_match=read.headers["ETag"]))

    # Errors: `message` is a text, or has the messages of each field.
    report("auth_login", log_in("user", "guess"))
    # A validating proxy does not let the invalid request pass.
    if "--valid-only" in sys.argv:
        return
    access, _ = clients(log_in("user", "password"))
    invalid = ships_create.sync_detailed(client=access, body=NewShip.from_dict(INVALID))
    report("ships_create", invalid)
    assert isinstance(invalid.parsed, ApiError) and isinstance(invalid.parsed.message, ApiErrorMessagesByField), invalid
    assert "crew" in invalid.parsed.message.additional_properties, "ships_create: no message for crew"


main()
