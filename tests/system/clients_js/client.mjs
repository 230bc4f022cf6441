// The stock graphql-ws client, driven by lines of JSON on standard input; what happens to it is
// told in lines of JSON on standard output.
import { createInterface } from 'node:readline';

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const client = createClient({
  url: process.argv[2],
  webSocketImpl: WebSocket,
  lazy: false,
  keepAlive: 1_000,
  retryAttempts: Infinity,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
  // While the server is down a connection is refused by an error, which is no close event.
  shouldRetry: () => true,
  onNonLazyError: (error) => say({ event: 'fatal', code: error?.code ?? String(error) }),
  on: {
    connected: ({ extensions }, _payload, retrying) =>
      say({ event: 'connected', retrying, extensions }),
    closed: (closed) => say({ event: 'closed', code: closed.code, reason: closed.reason }),
  },
});

const running = new Map();

const commands = {
  subscribe({ id, payload }) {
    running.set(
      id,
      client.subscribe(payload, {
        next: (result) => {
          // The same object is sent again after a reconnect: so it resumes where it was.
          payload.extensions = { cursor: result.extensions?.cursor };
          say({ event: 'next', id, result });
        },
        error: (error) =>
          say({ event: 'error', id, errors: Array.isArray(error) ? error : String(error) }),
        complete: () => say({ event: 'complete', id }),
      }),
    );
  },
  complete({ id }) {
    running.get(id)();
  },
  dispose() {
    client.dispose();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  commands[command](rest);
}
