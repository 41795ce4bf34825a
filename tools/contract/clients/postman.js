// The recorded operations with a Postman collection, run by Newman; prints each response as a line of JSON.
//
// usage: postman.js COLLECTION < REQUESTS
// REQUESTS is a list of {operation, summary, id, body, token}, in JSON. The summary is the name in the collection. Requests without
// an operation are not printed.
"use strict";

const { readFileSync } = require("node:fs");
const newman = require("newman");

const collection = JSON.parse(readFileSync(process.argv[2], "utf8"));
const requests = JSON.parse(readFileSync(0, "utf8"));

const items = new Map(collection.item.flatMap((folder) => folder.item).map((item) => [item.name, item]));

// After each login, its tokens are variables of the collection.
const KEEP_TOKENS = `
  const body = pm.response.json();
  for (const name of ["access_token", "refresh_token"]) if (body[name]) pm.collectionVariables.set(name, body[name]);
`;

collection.item = requests.map(({ operation, summary, id, body, token }, index) => {
  const item = structuredClone(items.get(summary)) ?? fail(`${operation}: the collection has no request "${summary}"`);
  const { request } = item;
  if (id !== undefined) request.url.variable.find(({ key }) => key === "id").value = String(id);
  if (body !== undefined) request.body.raw = JSON.stringify(body);
  if (token) {
    const bearer = request.auth?.bearer?.find(({ key }) => key === "token") ?? fail(`${operation}: the request has no bearer token`);
    bearer.value = `{{${token}}}`;
  }
  if (summary === "Log in") item.event = [{ listen: "test", script: { exec: KEEP_TOKENS.split("\n") } }];
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
    const { operation } = requests[Number(item.name)];
    const text = response.stream.toString();
    if (operation) console.log(JSON.stringify({ operation, status: response.code, body: text === "" ? null : JSON.parse(text) }));
  }
});
