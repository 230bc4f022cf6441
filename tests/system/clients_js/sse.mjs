// The stock graphql-sse client, driven by lines of JSON on standard input; what happens to it is
// told in lines of JSON on standard output.
import { createInterface } from 'node:readline';

import { createClient } from 'graphql-sse';

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

// Kept out of the request, as that is the client's own.
const places = new Map();
const running = new Map();
let authorization = process.argv[3];

const client = createClient({
  url: process.argv[2],
  retryAttempts: Infinity,
  retry: () => new Promise((resolve) => setTimeout(resolve, 20)),
  // Asked for again at each attempt: so it resumes where it was, with the token of the moment.
  headers: (request) => ({
    ...(authorization && { authorization }),
    ...(places.has(request) && { 'last-event-id': places.get(request) }),
  }),
});

const commands = {
  subscribe({ id, payload }) {
    running.set(
      id,
      client.subscribe(
        payload,
        {
          next: (result) => {
            if (result.extensions?.cursor) places.set(payload, result.extensions.cursor);
            say({ event: 'next', id, result });
          },
          error: (error) => say({ event: 'error', id, error: String(error) }),
          complete: () => say({ event: 'complete', id }),
        },
        {
          connecting: (retrying) => say({ event: 'connecting', id, retrying }),
          connected: (retried) => say({ event: 'connected', id, retried }),
        },
      ),
    );
  },
  complete({ id }) {
    running.get(id)();
  },
  authorize(given) {
    authorization = given.authorization;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  commands[command](rest);
}
