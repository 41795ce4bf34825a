// The ships API with json-server as a module: its router answers for ships, the rest is what its
// documentation leaves to the user.

const { createSecretKey, randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { hash, verify } = require("@node-rs/argon2");
const jsonServer = require("json-server");
const jwt = require("jsonwebtoken");

const SECRET = createSecretKey(process.env.BENCH_SECRET, "utf8");
const TTL = { access: "15m", refresh: "30d" };
const ARGON2 = { memoryCost: 19456, timeCost: 2, parallelism: 1, outputLen: 32 };

const data = JSON.parse(readFileSync(process.env.BENCH_DATA, "utf8"));
// The router answers whatever is in its data, so hashes stay out of it.
const passwordHashes = new Map();
const router = jsonServer.router({
  ships: data.ships.toSorted((a, b) => a.id - b.id),
  users: data.users.map(({ id, name }) => ({ id, name })),
});
const users = () => router.db.get("users");
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
    req.user = users().find({ id: claims.identity }).value();
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

/** Middleware: json-server stores any body, so a ship is checked before. */
function validShip(req, res, next) {
  const ship = {};
  for (const [name, isValid] of Object.entries(RULES)) {
    if (!isValid(req.body?.[name])) return res.status(400).json({ msg: `${name}: missing or not valid.` });
    ship[name] = req.body[name];
  }
  if (req.body.id !== undefined && req.body.id !== Number(req.params.id)) {
    return res.status(400).json({ msg: "The id is that of another ship." });
  }
  req.body = ship;
  next();
}

const server = jsonServer.create();
server.use(jsonServer.defaults({ logger: false }));
server.use(jsonServer.bodyParser);

server.post("/auth/login", async (req, res, next) => {
  try {
    const { name, password } = req.body;
    if (!isText(name) || !isText(password)) {
      return res.status(400).json({ msg: "name and password have to be text." });
    }
    const user = users().find({ name }).value();
    // Off the event loop: verify() computes in libuv's thread pool.
    if (!user || !(await verify(passwordHashes.get(user.id), password))) {
      return res.status(401).json({ msg: "Bad name or password." });
    }
    res.json({ access_token: createToken(user, "access"), refresh_token: createToken(user, "refresh") });
  } catch (error) {
    next(error);
  }
});

server.post("/auth/refresh", requireToken("refresh"), (req, res) => {
  res.json({ access_token: createToken(req.user, "access") });
});

server.use(jsonServer.rewriter({ "/api/*": "/$1" }));
server.put("/ships/:id", requireToken("access"), validShip, router);
// The router knows other writes as well; they are no part of this API.
server.use((req, res, next) => {
  if (req.method === "GET" || req.method === "HEAD") return next();
  res.sendStatus(405);
}, router);

// What the body parser refuses arrives here with its status.
server.use((error, req, res, next) => {
  if (!error.expose) return next(error);
  res.status(error.status).json({ msg: error.message });
});

async function main() {
  for (const { id, password } of data.users) passwordHashes.set(id, await hash(password, ARGON2));
  server.listen(process.env.BENCH_PORT, "127.0.0.1");
}

main();
