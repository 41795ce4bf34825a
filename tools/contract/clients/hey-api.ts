// The recorded operations with the functions that Hey API generates; prints each response as a line of JSON.
import * as api from "./shipyard";
import { client } from "./shipyard/client.gen";

client.setConfig({ baseUrl: "http://localhost:5000" });

function report(operation: string, result: { response?: Response; data?: unknown; error?: unknown }) {
  // It has an empty object where the response has no body.
  const body = result.response?.status === 204 ? null : result.data ?? result.error;
  console.log(JSON.stringify({ operation, status: result.response?.status, body }));
}

async function logIn(username: string, password: string) {
  const result = await api.authLogin({ body: { username, password } });
  if (!result.data) throw new Error(`auth_login: ${result.response?.status} ${result.error.error}`);
  return { ...result, access: { auth: result.data.access_token }, refresh: { auth: result.data.refresh_token } };
}

const newShip: api.NewShip = {
  ship_class: "Star Destroyer",
  model: "Imperial I-class Star Destroyer",
  affiliation: "Empire",
  category: "Capital Ships",
  crew: 37085,
  length: 1600,
  manufacturer: "Kuat Drive Yards",
  roles: ["Destroyer", "Carrier", "Military Transport", "Command Ship"],
};
const replacement = { ...newShip, model: "Imperial II-class Star Destroyer", crew: 37050 };

const user = await logIn("user", "password");
report("auth_login", user);
report("auth_refresh", await api.authRefresh(user.refresh));
report("users_list", await api.usersList());
report("users_get", await api.usersGet({ path: { id: 1 } }));
report("users_create", await api.usersCreate({ body: { name: "new user", password: "secret" } }));
const { access } = await logIn("new user", "secret");
const path = { id: 3 };
report("users_update", await api.usersUpdate({ ...access, path, body: { name: "fancy new name", password: "more secret" } }));
report("users_delete", await api.usersDelete({ ...access, path }));
report("ships_list", await api.shipsList());
report("ships_get", await api.shipsGet({ path: { id: 2 } }));
const created = await api.shipsCreate({ ...user.access, body: newShip });
report("ships_create", created);
const ship = { ...user.access, path: { id: created.data?.id ?? 0 } };
report("ships_update", await api.shipsUpdate({ ...ship, body: replacement }));
report("ships_delete", await api.shipsDelete(ship));
report("auth_logout_access_token", await api.authLogoutAccessToken(user.access));
report("auth_logout_refresh_token", await api.authLogoutRefreshToken(user.refresh));

// Pages, and changes that must not overwrite those of another client.
const page = await api.shipsList({ query: { limit: 2, sort: "-crew" } });
const pageHeaders = page.response?.headers;
const links = { total: pageHeaders?.get("X-Total-Count"), next: /rel="next"/.test(pageHeaders?.get("Link") ?? "") };
report("ships_list", { response: page.response, data: { ids: page.data?.map(({ id }) => id), ...links } });
const login = await logIn("user", "password");
const read = await api.shipsGet({ path: { id: 1 } });
for (const crew of [2, 3]) {
  const headers = { "If-Match": read.response?.headers.get("ETag") ?? "" };
  report("ships_patch", await api.shipsPatch({ ...login.access, path: { id: 1 }, headers, body: { crew } }));
}

// Errors: `message` is a text, or has the messages of each field.
report("auth_login", await api.authLogin({ body: { username: "user", password: "guess" } }));
const invalid = await api.shipsCreate({
  ...(await logIn("user", "password")).access,
  body: { ...newShip, crew: 0, length: -1, roles: ["Destroyer", "Carrier"] },
});
report("ships_create", invalid);
const message = invalid.error?.message;
if (typeof message !== "object" || !Array.isArray(message.crew)) throw new Error("ships_create: no message for crew");
