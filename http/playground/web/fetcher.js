// How GraphiQL asks: queries and mutations by POST, subscriptions by graphql-transport-ws.
import { parse } from "graphql";
import { createClient } from "graphql-ws";
import { failed, failure, isLoss, isRefusal } from "./failures.js";
import { credentials } from "./token.js";

const ADDRESS = "/graphql";
const ATTEMPTS = 10;
const LONGEST = 15_000; // milliseconds between two attempts
const PING = JSON.stringify({ type: "ping" });
const TYPES = "application/graphql-response+json, application/json;q=0.9";

const socketAddress = () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql/ws`;
const pause = (attempt) => Math.min(LONGEST, 500 * 2 ** attempt) * (0.5 + Math.random() / 2);

// The operation that is asked for: [whether it is a subscription, its name]. What GraphiQL says of
// the document and of its name may be of the tab before, when one is quick.
function operation({ query, operationName }) {
  let all;
  try {
    all = parse(query).definitions.filter((each) => each.kind === "OperationDefinition");
  } catch {
    return [false, operationName]; // the server says what is wrong with it
  }
  const named = all.find((each) => each.name?.value === operationName);
  const chosen = named ?? (all.length === 1 ? all[0] : undefined);
  return [chosen?.operation === "subscription", chosen ? chosen.name?.value : operationName];
}

async function ask(params, headers, told) {
  let answer;
  try {
    answer = await fetch(ADDRESS, {
      method: "POST",
      headers: { Accept: TYPES, "Content-Type": "application/json", ...credentials(), ...headers },
      body: JSON.stringify(params),
      credentials: "omit",
    });
  } catch {
    return failure("The server does not answer.");
  }
  try {
    const result = await answer.json();
    told.answered(result.errors?.[0]?.extensions?.code);
    return result;
  } catch {
    return failure(`The server answered ${answer.status} ${answer.statusText}.`);
  }
}

// A connection of its own for each subscription, so that its own headers go with it. When the
// connection is lost it comes back, and goes on from the cursor of the last event.
function stream(params, headers, told) {
  return {
    subscribe({ next, complete }) {
      let events = 0;
      let over = false;
      const end = (state) => {
        if (!over) told.stream(state, events);
        over = true;
      };
      const payload = { ...params };
      const client = createClient({
        url: socketAddress(),
        connectionParams: () => ({ ...credentials(), ...headers }),
        lazyCloseTimeout: 0,
        retryAttempts: ATTEMPTS,
        shouldRetry: isLoss,
        retryWait: (attempt) => new Promise((again) => setTimeout(again, pause(attempt))),
        on: {
          connecting: (again) => told.stream(again ? "retrying" : "connecting", events),
          connected: (socket) => setTimeout(() => {
            if (socket.readyState === WebSocket.OPEN) socket.send(PING);
          }),
          // The server has read what came before it: the subscription is there.
          pong() {
            if (over) return;
            told.answered();
            told.stream("live", events);
          },
          closed: (close) => !over && isLoss(close) && told.stream("lost", events),
        },
      });
      const stop = client.subscribe(payload, {
        next(result) {
          const cursor = result.extensions?.cursor;
          if (cursor) payload.extensions = { cursor };
          events += 1;
          told.stream("live", events);
          next(result);
        },
        error(problem) {
          end("failed");
          if (isRefusal(problem)) told.answered("UNAUTHORIZED");
          next(failed(problem));
          complete();
          client.dispose();
        },
        complete() {
          end("ended");
          complete();
        },
      });
      return {
        unsubscribe() {
          end("stopped");
          stop();
          client.dispose();
        },
      };
    },
  };
}

// `told.answered(code)` hears of the error of each answer, `told.stream(state, events)` of what a subscription does.
export const fetcherTelling = (told) => (params, { headers } = {}) => {
  const [streams, operationName] = operation(params);
  return (streams ? stream : ask)({ ...params, operationName }, headers, told);
};
