// Drives Chromium through the pages of the server, and through a page of another origin that uses the API.
//
// usage: check.js SHIPYARD CHROMIUM [SCREENSHOT_FOLDER]
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, mkdirSync, readFileSync, rmSync } = require("node:fs");
const { createServer } = require("node:http");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { stripVTControlCharacters } = require("node:util");
const { chromium } = require("playwright-core");

const [shipyard, executablePath, screenshots] = process.argv.slice(2);

// Vite's port, on which most front ends are developed.
const PAGE_PORT = 5173;
// For each wait in the browser, in milliseconds.
const PATIENCE = 10_000;

function fail(message) {
  throw new Error(message);
}

// The server with its defaults, in a folder of its own. A restart keeps the port and the folder.
class Shipyard {
  folder = mkdtempSync(join(tmpdir(), "shipyard-browser-"));
  process = null;
  // The images show the addresses of the README.
  port = screenshots ? 5000 : 0;
  url = null;

  async start() {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ROCKET_")));
    const options = { cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe"] };
    this.process = spawn(shipyard, ["--port", String(this.port)], options);
    let said = "";
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => { said += text; });
    }
    const deadline = Date.now() + PATIENCE;
    while (!(this.url = said.match(/^Shipyard \S+ listens on (\S+)$/m)?.[1])) {
      if (this.process.exitCode !== null || Date.now() > deadline) fail(`The server did not start. It said:\n${said}`);
      await sleep(20);
    }
    this.port = Number(new URL(this.url).port);
  }

  async stop() {
    const { process } = this;
    if (process === null || process.exitCode !== null || process.signalCode !== null) return;
    const exit = once(process, "exit");
    process.kill("SIGTERM");
    const timer = setTimeout(() => process.kill("SIGKILL"), PATIENCE);
    await exit;
    clearTimeout(timer);
  }

  async close() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// Serves the page and its script, and nothing else.
async function servePage() {
  const files = { "/": ["page.html", "text/html"], "/page.js": ["page.js", "text/javascript"] };
  const server = createServer((request, response) => {
    const [name, type] = files[new URL(request.url, "http://localhost").pathname] ?? [];
    response.writeHead(name ? 200 : 404, { "Content-Type": type ?? "text/plain" });
    response.end(name && readFileSync(join(__dirname, name)));
  });
  server.listen(PAGE_PORT, "localhost");
  await once(server, "listening").catch((error) => fail(
    `The page needs port ${PAGE_PORT}: ${error.message}. End what listens there, then run the step again.`,
  ));
  return server;
}

// What a page does that a developer would see in the console or the network tab.
function watch(page) {
  const seen = [];
  page.on("console", (message) => seen.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) => seen.push(`failed: ${request.method()} ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) seen.push(`${response.status()}: ${response.request().method()} ${response.url()}`);
  });
  return seen;
}

function expectSilence(seen, place) {
  if (seen.length > 0) fail(`${place}: neither the console nor the network tab may show anything, but:\n  ${seen.join("\n  ")}`);
}

async function screenshot(page, name) {
  if (screenshots) await page.screenshot({ path: join(screenshots, name) });
}

// The page of another origin: each step is a click, and the lines that it must add to the page's log.
class OtherOrigin {
  constructor(page) {
    this.page = page;
    this.lines = 0;
    this.steps = 0;
  }

  async step(what, action, ...expected) {
    await action();
    const items = this.page.locator("#log li");
    const wanted = this.lines + expected.length;
    await items.nth(wanted - 1).waitFor().catch(() => {});
    const added = (await items.allTextContents()).slice(this.lines);
    const matches = (line, index) => expected[index] instanceof RegExp ? expected[index].test(line) : expected[index] === line;
    if (added.length !== expected.length || !added.every(matches)) {
      fail(`To ${what}, the page did not get the expected responses.\n  expected: ${expected.join("\n            ")}\n`
        + `  got:      ${added.join("\n            ")}`);
    }
    this.lines = wanted;
    this.steps += 1;
  }

  click(name) {
    return () => this.page.getByRole("button", { name, exact: true }).click();
  }

  inRow(id, name) {
    return () => this.page.locator(`tr[data-id="${id}"]`).getByRole("button", { name }).click();
  }

  async logIn(what = "log in") {
    await this.page.fill("[name=username]", "user");
    await this.page.fill("[name=password]", "password");
    await this.step(what, this.click("Log in"), "POST /auth/login: 200");
    await this.shows("#login output", "Logged in as user");
  }

  async shows(selector, expected) {
    const text = await this.page.locator(selector).textContent();
    if (text !== expected) fail(`The page shows ${JSON.stringify(text)} at ${selector}, not ${JSON.stringify(expected)}.`);
  }

  async rows(expected) {
    await this.page.locator("tbody tr").nth(expected - 1).waitFor();
    const count = await this.page.locator("tbody tr").count();
    if (count !== expected) fail(`The page lists ${count} ships, not ${expected}.`);
  }
}

async function checkOtherOrigin(browser, server) {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  const seen = watch(page);
  await page.goto(`http://localhost:${PAGE_PORT}/?api=${encodeURIComponent(server.url)}`);
  const other = new OtherOrigin(page);

  await other.logIn();
  await other.step("list the ships", other.click("List"), "GET /api/ships: 200");
  await other.rows(15);
  await other.step("create a ship and read its Location", other.click("Create"),
    "POST /api/ships: 201", `Location: ${server.url}/api/ships/16, id: 16`, "GET /api/ships: 200");
  await other.rows(16);
  await other.step("replace the ship", other.inRow(16, "Replace"), "PUT /api/ships/16: 200", "GET /api/ships: 200");
  await other.shows('tr[data-id="16"] td:nth-child(3)', "3");
  await screenshot(page, "page.png");
  expectSilence(seen, "The page of another origin");
  await other.step("change the ship, once with an outdated ETag", other.inRow(16, "Patch"),
    "GET /api/ships/16: 200", "PATCH /api/ships/16: 200", "PATCH /api/ships/16: 412 Precondition Failed", "GET /api/ships: 200");
  await other.shows('tr[data-id="16"] td:nth-child(3)', "13");
  // Chromium reports each 4xx to the console; this one was asked for.
  expectSilence(seen.filter((line) => !/\b412\b/.test(line)), "The page of another origin");
  seen.length = 0;
  await other.step("list a page of ships", other.click("Largest crews"),
    "GET /api/ships?limit=2&sort=-crew: 200", /^next: \?.*\blimit=2\b/);
  await other.rows(2);
  await other.shows("#total", "16");
  await other.step("list the ships again", other.click("List"), "GET /api/ships: 200");
  await other.step("refresh the token", other.click("Refresh the token"), "POST /auth/refresh: 200");
  await other.step("delete the ship", other.inRow(16, "Delete"), "DELETE /api/ships/16: 204", "GET /api/ships: 200");
  await other.rows(15);
  expectSilence(seen, "The page of another origin");

  await server.stop();
  await other.step("list the ships of a stopped server", other.click("List"), "GET /api/ships: Failed to fetch");
  await server.start();
  await other.step("list the ships after a restart", other.click("List"), "GET /api/ships: 200");
  await other.step("use the token of the server before the restart", other.click("Create"),
    "POST /api/ships: 401 Token has been revoked");
  await other.shows("#login output", "Logged out");
  await other.logIn("log in after the restart");
  await other.step("create a ship with the new token", other.click("Create"),
    "POST /api/ships: 201", `Location: ${server.url}/api/ships/16, id: 16`, "GET /api/ships: 200");
  await other.step("log out the access token", other.click("Log out"), "DELETE /auth/logout: 200");
  await other.step("create a ship after the logout", other.click("Create"), "POST /api/ships: 401 Token has been revoked");
  await other.step("log out the refresh token", other.click("Log out everywhere"), "DELETE /auth/logout2: 200");
  await other.step("refresh after the logout", other.click("Refresh the token"),
    "POST /auth/refresh: 401 Token has been revoked");
  // These were asked for as well.
  expectSilence(seen.filter((line) => !/\b401\b|ERR_CONNECTION_REFUSED/.test(line)), "The page of another origin");
  await page.close();
  console.log(`http://localhost:${PAGE_PORT}: ${other.steps} steps against the default settings`);
}

// "Try it out" of the operation that creates a ship, with the example of the specification.
async function tryCreation(page, id) {
  const operation = page.locator("#operations-ships-ships_create");
  await operation.waitFor();
  // A reload opens it again: the fragment of the address names it.
  if (!(await operation.getAttribute("class")).includes("is-open")) await operation.locator(".opblock-summary").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  await operation.getByRole("button", { name: "Execute" }).click();
  const status = operation.locator(".live-responses-table tbody .response-col_status").first();
  await status.waitFor();
  const text = await operation.locator(".live-responses-table").textContent();
  if (!/^201/.test((await status.textContent()).trim()) || !text.includes(`/api/ships/${id}`)) {
    fail(`/docs: "Try it out" of ships_create must return 201 and /api/ships/${id}, but the page shows:\n${text}`);
  }
}

async function checkOwnPages(browser, server) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  const seen = watch(page);

  await page.goto(server.url, { waitUntil: "networkidle" });
  await page.getByText("user / password").waitFor();
  await screenshot(page, "start-page.png");
  expectSilence(seen, "/");

  await page.getByRole("link", { name: "Try the API in the browser" }).click();
  await page.locator("#operations-ships-ships_create").waitFor();
  await page.waitForLoadState("networkidle");
  expectSilence(seen, "/docs");
  await page.fill("#login [name=username]", "user");
  await page.fill("#login [name=password]", "password");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByText("Logged in.", { exact: true }).waitFor();
  await screenshot(page, "docs.png");
  await tryCreation(page, 17);
  expectSilence(seen, "/docs");
  await page.reload({ waitUntil: "networkidle" });
  await tryCreation(page, 18);
  // The address now names the operation. Swagger UI takes the underscore of its id for a blank, and warns; the link works.
  expectSilence(seen.filter((line) => !line.includes("escaping deep link whitespace")), "/docs after a reload");
  await page.close();
  console.log("/ and /docs: nothing in the console, no failed request; logged in before and after a reload");
}

async function main() {
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  const server = new Shipyard();
  let page = null;
  let browser = null;
  try {
    await server.start();
    page = await servePage();
    // Its sandbox does not work for root, and shared memory is scarce in containers.
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
    console.log(`Chromium ${browser.version()}`);
    await checkOtherOrigin(browser, server);
    await checkOwnPages(browser, server);
  } finally {
    await browser?.close();
    page?.close();
    page?.closeAllConnections();
    await server.close();
  }
}

main().catch((error) => {
  console.error(`browser: ${stripVTControlCharacters(error.message)}`);
  process.exitCode = 1;
});
