// The recorded operations with a Postman collection, run by Newman; prints each response as a line of JSON.
//
// usage: postman.js COLLECTION < REQUESTS
// REQUESTS is a list of {operation, summary, id, body, token, query, if_match}, in JSON. The summary is the name in the collection.
// Requests without an operation are not printed.
"use strict";

const { readFileSync } = require("node:fs");
const newman = require("newman");

const collection = JSON.parse(readFileSync(process.argv[2], "utf8"));
const requests = JSON.parse(readFileSync(0, "utf8"));

const items = new Map(collection.item.flatMap((folder) => folder.item).map((item) => [item.name, item]));

// After each login, its tokens are variables of the collection; after the read of a ship, its ETag.
const KEEP_TOKENS = `
  const body = pm.response.json();
  for (const name of ["access_token", "refresh_token"]) if (body[name]) pm.collectionVariables.set(name, body[name]);
`;
const KEEP_ETAG = `pm.collectionVariables.set("etag", pm.response.headers.get("ETag"));`;
const SCRIPTS = { "Log in": KEEP_TOKENS, "Get a ship": KEEP_ETAG };

// Optional parameters are in the collection, but disabled.
function enable(list, key, value) {
  const parameter = list.find((one) => one.key === key) ?? fail(`the collection has no parameter ${key}`);
  Object.assign(parameter, { value, disabled: false });
}

collection.item = requests.map(({ operation, summary, id, body, token, query = {}, if_match: ifMatch }, index) => {
  const item = structuredClone(items.get(summary)) ?? fail(`${operation}: the collection has no request "${summary}"`);
  const { request } = item;
  if (id !== undefined) request.url.variable.find(({ key }) => key === "id").value = String(id);
  if (body !== undefined) request.body.raw = JSON.stringify(body);
  if (token) {
    const bearer = request.auth?.bearer?.find(({ key }) => key === "token") ?? fail(`${operation}: the request has no bearer token`);
    bearer.value = `{{${token}}}`;
  }
  for (const [key, value] of Object.entries(query)) enable(request.url.query, key, value);
  if (ifMatch) enable(request.header, "If-Match", "{{etag}}");
  if (SCRIPTS[summary]) item.event = [{ listen: "test", script: { exec: SCRIPTS[summary].split("\n") } }];
  item.name = String(index);
  return item;
});

function fail(message) {
  console.error(message);
  process.exit(1);
}

const envVar = [{ key: "baseUrl", value: "http://localhost:5000" }];
newman.run({ collection, envVar, reporters: [], timeoutRequest: 10_000 }, (error, summary) => {
  const failure = error ?? summary.run.failures[0]?.error;
  if (failure) fail(`newman: ${failure.message}`);
  for (const { item, response } of summary.run.executions) {
    const { operation, query } = requests[Number(item.name)];
    const text = response.stream.toString();
    let body = text === "" ? null : JSON.parse(text);
    const { headers } = response;
    if (query && response.code === 200) {
      body = { ids: body.map(({ id }) => id), total: headers.get("X-Total-Count"), next: /rel="next"/.test(headers.get("Link")) };
    }
    if (operation) console.log(JSON.stringify({ operation, status: response.code, body }));
  }
});
