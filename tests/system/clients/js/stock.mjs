// A stock library, as it is, with no options but the URL: subscribes, and prints what comes of it.
// With LEAVE it unsubscribes after the first result.
import WebSocket from 'ws';

const FOLLOW = 'subscription NewIncidents { newIncidents { id title } }';
const [library, url, query = FOLLOW] = process.argv.slice(2);
globalThis.WebSocket = WebSocket; // as a browser has it; Apollo asks for it
const say = (event) => console.log(JSON.stringify(event));

let leave = () => {};
const had = (result) => {
  say(result);
  if (process.env.LEAVE) leave();
};
const sink = {
  next: ({ data, error }) => had(error ? { error: error.message } : { data }),
  error: (error) => say({ error: error.code ?? error.message ?? error[0]?.extensions?.code }),
  complete: () => say('complete'),
};

const graphqlWs = async () => {
  const { createClient } = await import('graphql-ws');
  return createClient({ url, webSocketImpl: WebSocket });
};

const libraries = {
  'graphql-ws': async () => {
    leave = (await graphqlWs()).subscribe({ query }, sink);
  },
  apollo: async () => {
    const { ApolloClient, gql, InMemoryCache } = await import('@apollo/client');
    const { GraphQLWsLink } = await import('@apollo/client/link/subscriptions');
    const link = new GraphQLWsLink(await graphqlWs());
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    const subscription = client.subscribe({ query: gql(query) }).subscribe(sink);
    leave = () => subscription.unsubscribe();
  },
  urql: async () => {
    const { Client, gql, subscriptionExchange } = await import('@urql/core');
    const { onEnd, pipe, subscribe } = await import('wonka');
    const socket = await graphqlWs();
    const forwardSubscription = ({ query, variables }) => ({
      subscribe: (to) => ({ unsubscribe: socket.subscribe({ query, variables }, to) }),
    });
    const exchanges = [subscriptionExchange({ forwardSubscription })];
    const client = new Client({ url: 'http://localhost/', preferGetMethod: false, exchanges });
    const { unsubscribe } = pipe(
      client.subscription(gql(query), {}),
      onEnd(sink.complete),
      subscribe(({ data, error }) => {
        if (error) say({ error: error.graphQLErrors[0]?.extensions?.code ?? error.message });
        else had({ data });
      }),
    );
    leave = unsubscribe;
  },
};

await libraries[library]();
