// Node's own HTTP/2 client: WebSockets by extended CONNECT (RFC 8441) with graphql-transport-ws, and
// requests beside them on the same connection. Driven by lines of JSON on standard input; what
// happens is told in lines of JSON on standard output.
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { createInterface } from 'node:readline';

import { Receiver, Sender } from 'ws';

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const [url, ca] = process.argv.slice(2);
const session = connect(url, ca ? { ca: readFileSync(ca) } : {});
session.on('error', (error) => say({ event: 'fatal', code: String(error) }));
session.on('goaway', (code) => say({ event: 'goaway', code }));
session.on('close', () => say({ event: 'closed' }));
session.once('remoteSettings', (settings) =>
  say({
    event: 'settings',
    extended: settings.enableConnectProtocol,
    alpn: session.alpnProtocol,
  }),
);

const sockets = new Map();

const commands = {
  open({ id, protocol = 'graphql-transport-ws' }) {
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/graphql/ws',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': protocol,
    });
    const sender = new Sender(stream);
    const receiver = new Receiver({ isServer: false });
    sockets.set(id, { stream, sender });
    stream.on('response', (headers) =>
      say({
        event: 'response',
        id,
        status: headers[':status'],
        subprotocol: headers['sec-websocket-protocol'],
      }),
    );
    stream.on('error', (error) => say({ event: 'error', id, error: String(error) }));
    stream.on('close', () => say({ event: 'ended', id, code: stream.rstCode }));
    receiver.on('message', (data) => say({ event: 'message', id, message: JSON.parse(data) }));
    receiver.on('conclude', (code, reason) => {
      say({ event: 'conclude', id, code, reason: reason.toString() });
      sender.close(code, reason, true, () => stream.end());
    });
    stream.pipe(receiver);
  },
  send({ id, message }) {
    sockets.get(id).sender.send(JSON.stringify(message), {
      mask: true,
      fin: true,
      opcode: 1,
      binary: false,
      compress: false,
      rsv1: false,
    });
  },
  close({ id, code }) {
    sockets.get(id).sender.close(code, '', true);
  },
  reset({ id }) {
    sockets.get(id).stream.close(8); // CANCEL
  },
  fetch({ id, path, body }) {
    const stream = session.request({
      ':path': path,
      ':method': body ? 'POST' : 'GET',
      ...(body ? { 'content-type': 'application/json' } : {}),
    });
    let text = '';
    let status;
    stream.setEncoding('utf8');
    stream.on('response', (headers) => (status = headers[':status']));
    stream.on('data', (data) => (text += data));
    stream.on('end', () => say({ event: 'answer', id, status, body: JSON.parse(text) }));
    stream.on('error', (error) => say({ event: 'error', id, error: String(error) }));
    stream.end(body ? JSON.stringify(body) : undefined);
  },
  end() {
    session.close();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...fields } = JSON.parse(line);
  commands[command](fields);
}
