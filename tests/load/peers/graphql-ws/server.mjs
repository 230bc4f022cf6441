// graphql-ws with ws, as its documentation has it: an async iterator for each subscription.
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema(`
  type Query { ok: Boolean! }
  type Subscription { newIncidents(filter: StreamFilterInput!): Incident! }
  input StreamFilterInput { sources: [String!]! }
  enum Severity { P0 P1 P2 P3 P4 }
  enum IncidentState { NEW RESOLVED }
  type Incident {
    id: ID!
    title: String!
    description: String!
    severity: Severity!
    state: IncidentState!
    source: String!
    createdAt: String!
    cursor: String!
  }
`);

// Those who listen, by source: an event costs nothing to those whom it does not concern.
const topics = new Map();

function listen(sources) {
  const waiting = [];
  let wake = null;
  let ended = false;
  const push = (value) => {
    if (wake === null) {
      waiting.push(value);
    } else {
      wake({ value, done: false });
      wake = null;
    }
  };
  for (const source of sources) {
    if (!topics.has(source)) topics.set(source, new Set());
    topics.get(source).add(push);
  }
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (waiting.length > 0) return Promise.resolve({ value: waiting.shift(), done: false });
      if (ended) return Promise.resolve({ value: undefined, done: true });
      return new Promise((resolve) => {
        wake = resolve;
      });
    },
    return() {
      ended = true;
      for (const source of sources) topics.get(source)?.delete(push);
      wake?.({ value: undefined, done: true });
      return Promise.resolve({ value: undefined, done: true });
    },
  };
}

schema.getSubscriptionType().getFields().newIncidents.subscribe = (_, { filter }) =>
  listen(filter.sources);

const epoch = randomBytes(16).toString('hex');
let offset = 0;

// RFC 3339 in microseconds: what Date has, and the fraction of performance.now().
function now() {
  const time = performance.timeOrigin + performance.now();
  const micros = Math.floor((time % 1) * 1000);
  return new Date(time).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
}

function accept({ source, title, description, severity }) {
  const id = randomUUID();
  const createdAt = now();
  offset += 1;
  const cursor = `${epoch}:${offset}`;
  const newIncidents = { id, title, description, severity, state: 'NEW', source, createdAt, cursor };
  for (const push of topics.get(source) ?? []) push({ newIncidents });
  return { incident_id: id, status: 'ACCEPTED', received_at: createdAt };
}

const server = createServer((request, response) => {
  if (request.method !== 'POST' || request.url !== '/v1/alerts') {
    response.writeHead(404).end();
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const answer = JSON.stringify(
      body.alerts ? { acks: body.alerts.map(accept) } : accept(body),
    );
    response
      .writeHead(202, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(answer),
      })
      .end(answer);
  });
});

useServer({ schema }, new WebSocketServer({ server, path: '/graphql/ws' }));
server.listen(Number(process.argv[2]), '127.0.0.1', 1024, () => console.log('ready'));
