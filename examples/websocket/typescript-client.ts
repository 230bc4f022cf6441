// Follows the incidents of an Incident Manager: events on standard output, the log on standard
// error, both as lines of JSON. See README.md for the environment variables.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  createClient,
  MessageType,
  stringifyMessage,
  type Client,
  type SubscribePayload,
} from 'graphql-ws';
import WebSocket from 'ws';

// --- what is followed -----------------------------------------------------------------------------

type Severity = 'P0' | 'P1' | 'P2' | 'P3' | 'P4';
type State = 'NEW' | 'INVESTIGATING' | 'IDENTIFIED' | 'MONITORING' | 'RESOLVED' | 'CLOSED';

interface Incident {
  id: string;
  title: string;
  severity: Severity;
  state: State;
  source: string;
  assignees: string[];
  version: number;
  createdAt: string;
  updatedAt: string;
}

interface IncidentUpdate {
  updateType:
    'CREATED' | 'UPDATED' | 'STATE_CHANGED' | 'RESOLVED' | 'ASSIGNED' | 'COMMENT_ADDED' | 'HEARTBEAT';
  incidentId: string | null;
  timestamp: string;
  changedFields: string[];
  actor: string | null;
  incident: Incident | null;
}

interface IncidentStateChange {
  incidentId: string;
  oldState: State;
  newState: State;
  changedBy: string;
  timestamp: string;
  incident: Incident;
}

interface Alert {
  id: string;
  externalId: string;
  source: string;
  title: string;
  severity: Severity;
  status: string;
  incidentId: string | null;
  receivedAt: string;
}

/** What each subscription yields, under the name of its root field. */
interface Streams {
  criticalIncidents: Incident;
  incidentUpdates: IncidentUpdate;
  newIncidents: Incident;
  incidentStateChanges: IncidentStateChange;
  alerts: Alert;
}

const INCIDENT = 'id title severity state source assignees version createdAt updatedAt';

const QUERIES: { [Name in keyof Streams]: SubscribePayload } = {
  criticalIncidents: { query: `subscription { criticalIncidents { ${INCIDENT} } }` },
  incidentUpdates: {
    query: `subscription ($severities: [Severity!], $activeOnly: Boolean) {
      incidentUpdates(severities: $severities, activeOnly: $activeOnly, heartbeatSeconds: 15) {
        updateType incidentId timestamp changedFields actor incident { ${INCIDENT} }
      }
    }`,
    variables: { severities: ['P0', 'P1'], activeOnly: true },
  },
  newIncidents: { query: `subscription { newIncidents { ${INCIDENT} } }` },
  incidentStateChanges: {
    query: `subscription {
      incidentStateChanges {
        incidentId oldState newState changedBy timestamp incident { ${INCIDENT} }
      }
    }`,
  },
  alerts: {
    query: `subscription {
      alerts { id externalId source title severity status incidentId receivedAt }
    }`,
  },
};

/** Your own code goes here. An event is given once, in the order of its stream. */
function handle<Name extends keyof Streams>(stream: Name, cursor: string, data: Streams[Name]): void {
  process.stdout.write(`${JSON.stringify({ stream, cursor, data })}\n`);
}

// --- the log --------------------------------------------------------------------------------------

function log(level: 'info' | 'warn' | 'error', message: string, fields: object = {}): void {
  const entry = { time: new Date().toISOString(), level, message, ...fields };
  process.stderr.write(`${JSON.stringify(entry)}\n`);
}

// --- the token ------------------------------------------------------------------------------------

const { AUTH_TOKEN, AUTH_TOKEN_FILE } = process.env;

/** The token of this moment: the file is read anew each time, as whoever renews it rewrites it. */
async function readToken(): Promise<string | undefined> {
  const text = AUTH_TOKEN_FILE ? await readFile(AUTH_TOKEN_FILE, 'utf8') : AUTH_TOKEN;
  return text?.trim() || undefined;
}

/** When a JWT ends, in milliseconds since 1970; the server is the one to check the rest. */
function expiryOf(token: string): number | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    return undefined; // no JWT
  }
}

/** A fifth of the time before the end, at most a minute. */
function renewIn(expiresAt: number): number {
  const left = Math.max(0, expiresAt - Date.now());
  return Math.min(left - Math.min(60_000, left / 5), 2 ** 31 - 1);
}

// --- the place in the stream ----------------------------------------------------------------------

interface Extensions {
  cursor?: string;
  recovered?: boolean;
  gap?: { from: string; to: string };
}

const { CURSOR_FILE } = process.env;

type Places = { [Name in keyof Streams]?: string };

/** The cursor of what has been handled of each stream; with a file it outlives this program. */
let places: Places = {};

function readPlaces(): void {
  try {
    if (CURSOR_FILE) places = JSON.parse(readFileSync(CURSOR_FILE, 'utf8')) as Places;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // else it is the first time
  }
}

/** The file is replaced as a whole, so that it is never half written. */
function keepPlace(stream: keyof Streams, cursor: string): void {
  places[stream] = cursor;
  if (!CURSOR_FILE) return;
  try {
    writeFileSync(`${CURSOR_FILE}.new`, JSON.stringify(places));
    renameSync(`${CURSOR_FILE}.new`, CURSOR_FILE);
  } catch (error) {
    end(1, 'gave up', { reason: `CURSOR_FILE: ${error}` });
  }
}

/** It says that all is well, and how far the server has looked; there is no event in it. */
function isHeartbeat(event: object): boolean {
  return 'updateType' in event && event.updateType === 'HEARTBEAT';
}

/** Whether `cursor` is at or before `seen`: such an event has been handled already. */
function isRepeat(cursor: string, seen: string): boolean {
  const [epoch, offset] = cursor.split(':');
  const [seenEpoch, seenOffset] = seen.split(':');
  return epoch === seenEpoch && Number(offset) <= Number(seenOffset);
}

/** Errors after which the same subscription is worth another try. */
const PASSING = new Set(['SERVICE_UNAVAILABLE', 'TIMEOUT', 'RATE_LIMIT_EXCEEDED']);

// --- the connection -------------------------------------------------------------------------------

const { WS_URL = 'ws://localhost:8080/graphql/ws' } = process.env;

const FIRST_WAIT = 250;
const LONGEST_WAIT = 10_000;
const STABLE = 5_000;
const PING_EVERY = 15_000;
const PONG_WITHIN = 10_000;
const TOO_LATE = 100; // before the end of a token

class Socket extends WebSocket {
  constructor(url: string, protocols: string | string[]) {
    super(url, protocols, { handshakeTimeout: 10_000, maxPayload: 16 * 1024 * 1024 });
    // graphql-ws only hears that it failed; whether another try makes sense is in the status.
    this.on('unexpected-response', (request, response) => {
      refusedWith = response.statusCode;
      request.destroy(new Error(`the server answered ${refusedWith}`));
    });
  }
}

let failures = 0; // in a row, for the backoff
let refusals = 0; // of the token, in a row
let connections = 0;
let trying = false;
let wait = 0; // before the next try, in milliseconds
let refusedWith: number | undefined;
let connectedAt: number | undefined;
let token: string | undefined;
let renewal: NodeJS.Timeout | undefined;
let deadline: NodeJS.Timeout | undefined;
let ended = false;

/** Exponential, with full jitter: so that the clients of a server do not come back all at once. */
function backoff(): number {
  return Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++);
}

/** The URL is asked for at each connect, which makes it the place to get a fresh token first. */
async function prepare(): Promise<string> {
  trying = true;
  refusedWith = undefined;
  while (!ended) {
    try {
      token = await readToken();
      break;
    } catch (error) {
      const wait = backoff();
      log('error', 'no token', { reason: String(error), retry_in: wait / 1000 });
      await sleep(wait);
    }
  }
  return WS_URL;
}

/** Offer the server a new token before the old one ends; the connection lives on. */
function renewBefore(expiresAt: number | undefined, socket: WebSocket): void {
  clearTimeout(renewal);
  if (expiresAt === undefined || !AUTH_TOKEN_FILE) return;
  if (expiresAt - Date.now() < TOO_LATE) return; // the next connection begins with a fresh one
  renewal = setTimeout(async () => {
    try {
      const fresh = await readToken();
      const authorization = `Bearer ${fresh}`;
      if (socket.readyState === socket.OPEN) {
        socket.send(stringifyMessage({ type: MessageType.Ping, payload: { authorization } }));
      }
    } catch (error) {
      log('error', 'no token', { reason: String(error) });
      renewBefore(expiresAt, socket);
    }
  }, renewIn(expiresAt));
}

let current: WebSocket | undefined;

const client: Client = createClient({
  url: prepare,
  webSocketImpl: Socket,
  connectionParams: () => (token ? { Authorization: `Bearer ${token}` } : {}),
  connectionAckWaitTimeout: 10_000,
  keepAlive: PING_EVERY,
  lazyCloseTimeout: 1_000, // so that it stays connected between the first query and the streams
  retryAttempts: Infinity,
  retryWait: () => sleep(wait),
  // Asked about all that graphql-ws does not take for fatal by itself, such as 4400.
  shouldRetry: () =>
    refusals < 2 && (refusedWith === undefined || refusedWith >= 500 || refusedWith === 429),
  on: {
    connected: (socket) => {
      current = socket as WebSocket;
      connections += 1;
      refusals = 0;
      connectedAt = Date.now();
      log('info', 'connected', { number: connections });
      renewBefore(token ? expiryOf(token) : undefined, current);
    },
    ping: (received, payload) => {
      if (!received) {
        deadline = setTimeout(() => client.terminate(), PONG_WITHIN);
      } else if (payload?.['gap']) {
        log('warn', 'gap', payload); // told at once, as the next event may be long in coming
      }
    },
    pong: (received, payload) => {
      if (received) clearTimeout(deadline);
      if (!payload?.['authorization']) return;
      const { authorization, expiresAt } = payload;
      if (authorization === 'accepted') log('info', 'token renewed', { expires_at: expiresAt });
      else log('error', 'token rejected', { expires_at: expiresAt }); // the old one counts on
      if (current && typeof expiresAt === 'string') renewBefore(Date.parse(expiresAt), current);
    },
    closed: (event) => lost((event as CloseEvent).code, (event as CloseEvent).reason),
    error: (error) => lost(undefined, (error as Partial<Error>).message || 'no connection'),
  },
});

/** Note why a connection ended, and for how long to stay away. */
function lost(code: number | undefined, reason: string): void {
  clearTimeout(renewal);
  clearTimeout(deadline);
  current = undefined;
  if (ended) process.exit();
  if (!trying) return; // `ws` tells of an error, and then of the close after it
  trying = false;
  if (connectedAt !== undefined && Date.now() - connectedAt >= STABLE) failures = 0;
  if (code === 4403 && connectedAt === undefined) refusals += 1;
  connectedAt = undefined;
  wait = backoff();
  log('warn', 'disconnected', { code: code ?? refusedWith, reason, retry_in: wait / 1000 });
}

// --- the subscriptions ----------------------------------------------------------------------------

/** Follow one stream, for good, from after `start`. */
function follow<Name extends keyof Streams>(stream: Name, start: string): void {
  let seen = start;
  const extensions: Extensions = { cursor: start };
  // graphql-ws sends this very object again after a reconnect: so it resumes at the cursor in it.
  const payload = { ...QUERIES[stream], extensions: extensions as Record<string, unknown> };
  const subscribe = (): void => {
    client.subscribe<{ [Key in Name]: Streams[Key] }, Extensions>(payload, {
      next: ({ data, errors, extensions: said = {} }) => {
        const { cursor, gap } = said;
        if (gap) log('warn', 'gap', { stream, ...gap }); // what was known must be loaded anew
        if (!cursor || (!gap && isRepeat(cursor, seen))) return;
        if (errors) log('error', 'event with errors', { stream, cursor, errors });
        if (data && !isHeartbeat(data[stream])) handle(stream, cursor, data[stream]);
        seen = extensions.cursor = cursor;
        keepPlace(stream, cursor);
      },
      error: (error) => void failed(stream, error, subscribe),
      complete: () => {
        if (!ended) end(1, 'gave up', { stream, reason: 'the server completed it' });
      },
    });
  };
  subscribe();
}

/** A subscription has ended by an `error` of the server's, or with the connection, for good. */
async function failed(stream: string, error: unknown, again: () => void): Promise<void> {
  if (ended) return;
  if (!Array.isArray(error)) {
    const { code, reason } = error as { code?: number; reason?: string };
    end(1, 'gave up', { code: code ?? refusedWith, reason });
    return;
  }
  const code = error[0]?.extensions?.code;
  if (!PASSING.has(code)) {
    end(1, 'gave up', { stream, code, reason: error[0]?.message });
    return;
  }
  const delay = backoff();
  log('warn', 'subscribing again', { stream, code, retry_in: delay / 1000 });
  await sleep(delay);
  again();
}

/** Where the journal is now: from there on nothing is missed. */
async function head(): Promise<string> {
  for await (const { data, errors } of client.iterate<{ cursor: string }>({ query: '{ cursor }' })) {
    if (data) return data.cursor;
    throw errors ?? new Error('no cursor');
  }
  throw new Error('no cursor');
}

function end(code: number, message: string, fields: object = {}): void {
  if (ended) return;
  ended = true;
  log(code ? 'error' : 'info', message, fields);
  process.exitCode = code;
  if (current === undefined) process.exit();
  void Promise.resolve(client.dispose()); // closes with 1000, and lost() hears of it
  setTimeout(() => process.exit(), 1_000);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => end(0, 'stopped', { signal }));
}

let start: string | undefined;
try {
  readPlaces();
} catch (error) {
  end(1, 'gave up', { reason: `CURSOR_FILE: ${error}` });
}
while (!ended && start === undefined) {
  try {
    start = await head();
  } catch (error) {
    await failed('cursor', error, () => {}); // ends the program, or waits for a while
  }
}
if (start !== undefined) {
  const resumed = Object.keys(places).length > 0;
  for (const stream of Object.keys(QUERIES) as (keyof Streams)[]) {
    keepPlace(stream, places[stream] ?? start);
    follow(stream, places[stream] ?? start);
  }
  log('info', 'following', { cursor: start, resumed, streams: Object.keys(QUERIES) });
}
