// A page as a front-end developer writes it: fetch, tokens in the local storage, and no CORS setting anywhere.
"use strict";

const API = new URLSearchParams(location.search).get("api");
const NEW_SHIP = {
  affiliation: "Rebel Alliance",
  category: "Starfighters",
  crew: 2,
  length: 17,
  manufacturer: "Incom Corporation",
  model: "T-47 Airspeeder",
  roles: ["Patrol"],
  ship_class: "Airspeeder",
};

const $ = (selector) => document.querySelector(selector);

// Sends a request, and adds a line with its outcome to the log.
async function request(method, path, { token, body, headers = {} } = {}) {
  if (token) headers.Authorization = `Bearer ${localStorage.getItem(token)}`;
  if (body) headers["Content-Type"] = "application/json";
  let response = null;
  let result = null;
  try {
    response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
    result = response.status === 204 ? null : await response.json();
  } catch (error) {
    log(`${method} ${path}: ${error.message}`);
    return {};
  }
  // A token that the server no longer accepts leads to the form, as in any single-page application.
  if (response.status === 401) showUser(null);
  log(`${method} ${path}: ${response.status} ${result?.error ?? ""}`.trim());
  return { response, result };
}

function log(text) {
  const line = document.createElement("li");
  line.textContent = text;
  $("#log").append(line);
}

function showUser(name) {
  $("#login output").textContent = name === null ? "Logged out" : `Logged in as ${name}`;
}

function showShips(ships) {
  $("tbody").replaceChildren(...ships.map((ship) => {
    const row = document.createElement("tr");
    row.dataset.id = ship.id;
    for (const text of [ship.id, ship.model, ship.crew]) row.insertCell().textContent = text;
    const cell = row.insertCell();
    for (const [name, action] of Object.entries(ROW_ACTIONS)) {
      const button = document.createElement("button");
      button.textContent = name;
      button.addEventListener("click", () => action(ship));
      cell.append(button);
    }
    return row;
  }));
}

async function list() {
  const { result } = await request("GET", "/api/ships");
  if (result) showShips(result);
}

const ROW_ACTIONS = {
  async Replace(ship) {
    const body = { ...ship, crew: ship.crew + 1 };
    const { response } = await request("PUT", `/api/ships/${ship.id}`, { token: "access_token", body });
    if (response?.ok) await list();
  },
  // Changes the crew, unless the ship has changed since the page read it.
  async Patch(ship) {
    const { response: read } = await request("GET", `/api/ships/${ship.id}`);
    const headers = () => ({ "If-Match": read.headers.get("ETag") });
    const path = `/api/ships/${ship.id}`;
    await request("PATCH", path, { token: "access_token", body: { crew: ship.crew + 10 }, headers: headers() });
    await request("PATCH", path, { token: "access_token", body: { crew: ship.crew + 20 }, headers: headers() });
    await list();
  },
  async Delete(ship) {
    const { response } = await request("DELETE", `/api/ships/${ship.id}`, { token: "access_token" });
    if (response?.ok) await list();
  },
};

$("#login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = Object.fromEntries(new FormData(event.target));
  const { response, result } = await request("POST", "/auth/login", { body });
  if (!response?.ok) return;
  for (const [name, token] of Object.entries(result)) localStorage.setItem(name, token);
  showUser(body.username);
});

$("#list").addEventListener("click", list);

$("#page").addEventListener("click", async () => {
  const { response, result } = await request("GET", "/api/ships?limit=2&sort=-crew");
  if (!response?.ok) return;
  showShips(result);
  $("#total").textContent = response.headers.get("X-Total-Count");
  const next = response.headers.get("Link")?.match(/<([^>]*)>; *rel="?next"?/)?.[1];
  log(`next: ${next && new URL(next, API).search}`);
});

$("#create").addEventListener("click", async () => {
  const { response, result } = await request("POST", "/api/ships", { token: "access_token", body: NEW_SHIP });
  if (!response?.ok) return;
  log(`Location: ${response.headers.get("Location")}, id: ${result.id}`);
  await list();
});

$("#refresh").addEventListener("click", async () => {
  const { response, result } = await request("POST", "/auth/refresh", { token: "refresh_token" });
  if (response?.ok) localStorage.setItem("access_token", result.access_token);
});

$("#logout").addEventListener("click", () => request("DELETE", "/auth/logout", { token: "access_token" }));

$("#forget").addEventListener("click", () => request("DELETE", "/auth/logout2", { token: "refresh_token" }));
