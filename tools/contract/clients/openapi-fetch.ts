// The recorded operations with openapi-fetch; prints each response as a line of JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./shipyard";

type NewShip = components["schemas"]["NewShip"];

const api = createClient<paths>({ baseUrl: "http://localhost:5000" });

function report(operation: string, result: { response: Response; data?: unknown; error?: unknown }) {
  const body = result.data ?? result.error ?? null;
  console.log(JSON.stringify({ operation, status: result.response.status, body }));
}

async function logIn(username: string, password: string) {
  const result = await api.POST("/auth/login", { body: { username, password } });
  if (!result.data) throw new Error(`auth_login: ${result.response.status} ${result.error.error}`);
  return { ...result, as: (token: "access_token" | "refresh_token") => ({ Authorization: `Bearer ${result.data[token]}` }) };
}

const newShip: NewShip = {
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
report("auth_refresh", await api.POST("/auth/refresh", { headers: user.as("refresh_token") }));
report("users_list", await api.GET("/api/users"));
report("users_get", await api.GET("/api/users/{id}", { params: { path: { id: 1 } } }));
report("users_create", await api.POST("/api/users", { body: { name: "new user", password: "secret" } }));
const headers = (await logIn("new user", "secret")).as("access_token");
const params = { path: { id: 3 } };
const renamed = { name: "fancy new name", password: "more secret" };
report("users_update", await api.PUT("/api/users/{id}", { params, headers, body: renamed }));
report("users_delete", await api.DELETE("/api/users/{id}", { params, headers }));
report("ships_list", await api.GET("/api/ships"));
report("ships_get", await api.GET("/api/ships/{id}", { params: { path: { id: 2 } } }));
const created = await api.POST("/api/ships", { headers: user.as("access_token"), body: newShip });
report("ships_create", created);
const ship = { params: { path: { id: created.data?.id ?? 0 } }, headers: user.as("access_token") };
report("ships_update", await api.PUT("/api/ships/{id}", { ...ship, body: replacement }));
report("ships_delete", await api.DELETE("/api/ships/{id}", ship));
report("auth_logout_access_token", await api.DELETE("/auth/logout", { headers: user.as("access_token") }));
report("auth_logout_refresh_token", await api.DELETE("/auth/logout2", { headers: user.as("refresh_token") }));

// Pages, and changes that must not overwrite those of another client.
const page = await api.GET("/api/ships", { params: { query: { limit: 2, sort: "-crew" } } });
const { headers: pageHeaders } = page.response;
const links = { total: pageHeaders.get("X-Total-Count"), next: /rel="next"/.test(pageHeaders.get("Link") ?? "") };
report("ships_list", { response: page.response, data: { ids: page.data?.map(({ id }) => id), ...links } });
const login = await logIn("user", "password");
const read = await api.GET("/api/ships/{id}", { params: { path: { id: 1 } } });
for (const crew of [2, 3]) {
  const header = { "If-Match": read.response.headers.get("ETag") ?? "" };
  const options = { params: { path: { id: 1 }, header }, headers: login.as("access_token"), body: { crew } };
  report("ships_patch", await api.PATCH("/api/ships/{id}", options));
}

// Errors: `message` is a text, or has the messages of each field.
const wrong = await api.POST("/auth/login", { body: { username: "user", password: "guess" } });
report("auth_login", wrong);
const invalid = await api.POST("/api/ships", {
  headers: (await logIn("user", "password")).as("access_token"),
  body: { ...newShip, crew: 0, length: -1, roles: ["Destroyer", "Carrier"] },
});
report("ships_create", invalid);
const message = invalid.error?.message;
if (typeof message !== "object" || !Array.isArray(message.crew)) throw new Error("ships_create: no message for crew");
