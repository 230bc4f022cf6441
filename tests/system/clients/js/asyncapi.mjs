// Has the official parser read the description of the WebSocket interface; prints its diagnostics.
import { readFileSync } from 'node:fs';

import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
const found = diagnostics.map(({ severity, code, message, path }) => ({
  severity, // 0: error, 1: warning
  code,
  message,
  path: path.join('.'),
}));
const messages = document?.allMessages().all().map((message) => message.id());
const operations = document?.allOperations().all().map((operation) => operation.id());
console.log(JSON.stringify({ version: document?.version(), found, messages, operations }));
