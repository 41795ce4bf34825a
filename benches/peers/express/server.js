// The ships API with Express and jsonwebtoken.

import { createSecretKey, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hash, verify } from "@node-rs/argon2";
import express from "express";
import jwt from "jsonwebtoken";

const SECRET = createSecretKey(process.env.BENCH_SECRET, "utf8");
const TTL = { access: "15m", refresh: "30d" };
const ARGON2 = { memoryCost: 19456, timeCost: 2, parallelism: 1, outputLen: 32 };

const data = JSON.parse(readFileSync(process.env.BENCH_DATA, "utf8"));

// A Map keeps the order in which keys came, and a replaced value keeps its place: sorted once.
const ships = new Map(data.ships.toSorted((a, b) => a.id - b.id).map((ship) => [ship.id, ship]));
const users = new Map();
const usersByName = new Map();
for (const { id, name, password } of data.users) {
  const user = { id, name, passwordHash: await hash(password, ARGON2) };
  users.set(id, user);
  usersByName.set(name, user);
}
const revoked = new Set();

function createToken(user, type) {
  const claims = { identity: user.id, ...(type === "access" && { fresh: false }), type };
  return jwt.sign(claims, SECRET, { expiresIn: TTL[type], notBefore: 0, jwtid: randomUUID() });
}

/** Middleware that lets pass requests with a good token of that type. */
function requireToken(type) {
  return (req, res, next) => {
    const [scheme, token] = (req.get("authorization") ?? "").split(" ");
    if (scheme !== "Bearer" || !token) return res.status(401).json({ msg: "Missing token." });
    let claims;
    try {
      claims = jwt.verify(token, SECRET, { algorithms: ["HS256"] });
    } catch (error) {
      return res.status(401).json({ msg: error.message });
    }
    req.user = users.get(claims.identity);
    if (claims.type !== type || revoked.has(claims.jti) || !req.user) {
      return res.status(401).json({ msg: "Bad token." });
    }
    next();
  };
}

const isText = (value) => typeof value === "string";
const RULES = {
  affiliation: isText,
  category: isText,
  crew: Number.isInteger,
  length: Number.isInteger,
  manufacturer: isText,
  model: isText,
  roles: (value) => Array.isArray(value) && value.every(isText),
  ship_class: isText,
};

/** The ship in a body, or the reason why there is none. */
function parseShip(body, id) {
  if (body === null || typeof body !== "object") return { error: "Not a JSON object." };
  if (body.id !== undefined && body.id !== id) return { error: "The id is that of another ship." };
  const ship = { id };
  for (const [name, isValid] of Object.entries(RULES)) {
    if (!isValid(body[name])) return { error: `${name}: missing or not valid.` };
    ship[name] = body[name];
  }
  return { ship };
}

const app = express();
app.use(express.json());

app.get("/api/ships", (req, res) => {
  res.json([...ships.values()]);
});

app.get("/api/ships/:id", (req, res) => {
  const ship = ships.get(Number(req.params.id));
  if (!ship) return res.status(404).json({ msg: "No such ship." });
  res.json(ship);
});

app.put("/api/ships/:id", requireToken("access"), (req, res) => {
  const id = Number(req.params.id);
  const { ship, error } = parseShip(req.body, id);
  if (error) return res.status(400).json({ msg: error });
  if (!ships.has(id)) return res.status(404).json({ msg: "No such ship." });
  ships.set(id, ship);
  res.json(ship);
});

app.post("/auth/login", async (req, res) => {
  const { name, password } = req.body ?? {};
  if (!isText(name) || !isText(password)) {
    return res.status(400).json({ msg: "name and password have to be text." });
  }
  const user = usersByName.get(name);
  // Off the event loop: verify() computes in libuv's thread pool.
  if (!user || !(await verify(user.passwordHash, password))) {
    return res.status(401).json({ msg: "Bad name or password." });
  }
  res.json({ access_token: createToken(user, "access"), refresh_token: createToken(user, "refresh") });
});

app.post("/auth/refresh", requireToken("refresh"), (req, res) => {
  res.json({ access_token: createToken(req.user, "access") });
});

// What express.json() refuses arrives here with its status.
app.use((error, req, res, next) => {
  if (!error.expose) return next(error);
  res.status(error.status).json({ msg: error.message });
});

app.listen(process.env.BENCH_PORT, "127.0.0.1");
