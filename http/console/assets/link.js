// A connection to the server that comes back: graphql-transport-ws, one WebSocket at a time.
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
import { wait } from "./backoff.js";

const PROTOCOL = "graphql-transport-ws";
const FORBIDDEN = 4403; // the token is missing, bad or expired
const QUIET = 15_000; // milliseconds without a word before we ask whether it lives
const PATIENCE = 10_000; // and for the answer; also for the handshake
const UNFIT = 4; // attempts that one counts as which came about, and was of no use

export class Failure extends Error {
  constructor(code, message, field = null) {
    super(message);
    Object.assign(this, { code, field });
  }
}

const failure = ([first]) =>
  new Failure(first.extensions?.code ?? "INTERNAL_SERVER_ERROR", first.message, first.extensions?.field);

const LOST = "The connection was lost before an answer came: it may have been done, or not.";

// What goes into connection_init: a key of ours says so by how it begins, all else is a token.
export function credentials(token) {
  if (!token) return {};
  return token.startsWith("lim_") ? { "X-API-Key": token } : { Authorization: `Bearer ${token}` };
}

export class Link {
  #socket = null;
  #operations = new Map(); // id: {next, error, complete}
  #last = 0; // number of the last operation
  #attempt = 0;
  #timer = 0;
  #watch = 0;

  // `token()` is asked for at each attempt. `changed({state, reason, again})` is told of each state:
  // connecting, open, waiting (until `again`), refused, stopped.
  constructor(address, token, changed) {
    Object.assign(this, { address, token, changed, state: "stopped" });
  }

  start() {
    this.#drop();
    this.#say("connecting");
    const socket = new WebSocket(this.address, PROTOCOL);
    this.#socket = socket;
    this.#expect("it does not answer");
    socket.onopen = () => this.#send({ type: "connection_init", payload: credentials(this.token()) });
    socket.onmessage = (event) => this.#heard(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  // Try at once, if it is waiting.
  hurry() {
    if (this.state === "waiting") this.start();
  }

  // Begin again after a while: it lives, but what is needed cannot be had by it.
  again(reason) {
    if (this.state !== "open") return;
    this.#attempt = Math.max(this.#attempt, UNFIT);
    this.#closed(1000, reason);
  }

  stop() {
    this.#drop();
    this.#say("stopped");
  }

  // One query or mutation: its data. Raises Failure.
  request(query, variables = {}) {
    return new Promise((done, failed) => {
      if (this.state !== "open") {
        failed(new Failure("OFFLINE", "There is no connection to the server now."));
        return;
      }
      this.#begin({ query, variables }, {
        next: ({ data, errors }) => (errors?.length ? failed(failure(errors)) : done(data)),
        error: (errors) => failed(failure(errors)),
        lost: () => failed(new Failure("LOST", LOST)),
      });
    });
  }

  // A stream from `cursor` on. It ends with the connection, or when what this answers is called.
  subscribe(query, cursor, { next, gap, error }) {
    const id = this.#begin({ query, extensions: { cursor } }, { next, gap, error });
    return () => {
      if (this.#operations.delete(id)) this.#send({ type: "complete", id });
    };
  }

  #begin(payload, handlers) {
    const id = String(++this.#last);
    this.#operations.set(id, handlers);
    this.#send({ type: "subscribe", id, payload });
    return id;
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #heard(message) {
    this.#quiet();
    const operation = this.#operations.get(message.id);
    switch (message.type) {
      case "connection_ack":
        this.#attempt = 0;
        this.#say("open");
        break;
      case "next":
        operation?.next(message.payload);
        break;
      case "error":
        this.#operations.delete(message.id);
        operation?.error?.(message.payload);
        break;
      case "complete":
        this.#operations.delete(message.id);
        break;
      case "ping":
        this.#send({ type: "pong", payload: message.payload });
        this.#operations.get(message.payload?.subscription)?.gap?.(message.payload);
        break;
    }
  }

  // It has just been heard of: after a while of silence ask whether it lives.
  #quiet() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      this.#send({ type: "ping" });
      this.#expect("it has gone silent");
    }, QUIET);
  }

  #expect(reason) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#closed(1006, reason), PATIENCE);
  }

  #closed(code, reason) {
    this.#drop();
    if (code === FORBIDDEN) {
      this.#say("refused", { reason });
      return;
    }
    const pause = wait(this.#attempt++);
    this.#timer = setTimeout(() => this.start(), pause);
    this.#say("waiting", { reason, again: Date.now() + pause });
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    const [socket, operations] = [this.#socket, this.#operations];
    this.#socket = null;
    this.#operations = new Map();
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const each of operations.values()) each.lost?.();
  }

  #say(state, more = {}) {
    this.state = state;
    this.changed({ state, reason: "", again: 0, ...more });
  }
}
