// The stock graphql-ws client with every hook told, and a way past its manners: messages are put
// on its own socket by graphql-ws's own helpers. Driven like client.mjs; the options of the client
// are JSON in the second argument.
import { createInterface } from 'node:readline';

import { createClient, stringifyMessage } from 'graphql-ws';
import WebSocket from 'ws';

const { ids, silent, first = [], ...options } = JSON.parse(process.argv[3]);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
let socket;

const connect = () =>
  createClient({
    url: process.argv[2],
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    ...options,
    ...(ids && { generateID: () => ids }),
    // A client that never gets to its connection_init.
    ...(silent && { connectionParams: () => new Promise(() => {}) }),
    onNonLazyError: () => {}, // the hook tells it
    on: {
      connecting: (retrying) => say({ event: 'connecting', retrying }),
      opened: (opened) => {
        socket = opened;
        say({ event: 'opened', protocol: socket.protocol });
        for (const message of first) socket.send(stringifyMessage(message));
      },
      connected: (_socket, payload, retrying) => say({ event: 'connected', payload, retrying }),
      message: (message) => say({ event: 'message', id: message.id, message }),
      ping: (received, payload) => say({ event: 'ping', received, payload }),
      pong: (received, payload) => say({ event: 'pong', received, payload }),
      closed: ({ code, reason, wasClean }) => say({ event: 'closed', code, reason, wasClean }),
      error: (error) => say({ event: 'failed', error: String(error?.message ?? error) }),
    },
  });

let client = connect();
const running = new Map();

const commands = {
  subscribe({ id, payload }) {
    running.set(
      id,
      client.subscribe(payload, {
        next: (result) => say({ event: 'next', id, result }),
        error: (error) =>
          say({ event: 'error', id, errors: Array.isArray(error) ? error : error?.code ?? null }),
        complete: () => say({ event: 'complete', id }),
      }),
    );
  },
  complete: ({ id }) => running.get(id)(),
  // Another one of the same kind, when this one is through.
  again: () => {
    client = connect();
  },
  dispose: () => client.dispose(),
  terminate: () => client.terminate(),
  // In one write: the server has them all before it has answered the first.
  raw({ messages }) {
    socket._socket.cork();
    for (const message of messages) socket.send(stringifyMessage(message));
    socket._socket.uncork();
  },
  text: ({ text }) => socket.send(text),
  binary: ({ text }) => socket.send(Buffer.from(text)),
  close: ({ code, reason }) => socket.close(code, reason),
  // No close frame, and no FIN: what is on its way is lost.
  drop: () => socket._socket.resetAndDestroy(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  commands[command](rest);
}
