// A stock library, as it is, with no options but the URL: subscribes, and prints what comes of it.
import WebSocket from 'ws';

const FOLLOW = 'subscription NewIncidents { newIncidents { id title } }';
const [library, url, query = FOLLOW] = process.argv.slice(2);
globalThis.WebSocket = WebSocket; // as a browser has it; Apollo asks for it
const say = (event) => console.log(JSON.stringify(event));
const sink = {
  next: ({ data, error }) => say(error ? { error: error.message } : { title: data?.newIncidents.title }),
  error: (error) => say({ error: error.code ?? error.message ?? error[0]?.extensions?.code }),
  complete: () => say({ complete: true }),
};

const graphqlWs = async () => {
  const { createClient } = await import('graphql-ws');
  return createClient({ url, webSocketImpl: WebSocket });
};

const libraries = {
  'graphql-ws': async () => (await graphqlWs()).subscribe({ query }, sink),
  apollo: async () => {
    const { ApolloClient, gql, InMemoryCache } = await import('@apollo/client');
    const { GraphQLWsLink } = await import('@apollo/client/link/subscriptions');
    const link = new GraphQLWsLink(await graphqlWs());
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    client.subscribe({ query: gql(query) }).subscribe(sink);
  },
  urql: async () => {
    const { Client, gql, subscriptionExchange } = await import('@urql/core');
    const socket = await graphqlWs();
    const forwardSubscription = ({ query, variables }) => ({
      subscribe: (to) => ({ unsubscribe: socket.subscribe({ query, variables }, to) }),
    });
    const exchanges = [subscriptionExchange({ forwardSubscription })];
    const client = new Client({ url: 'http://localhost/', preferGetMethod: false, exchanges });
    client.subscription(gql(query), {}).subscribe(({ data, error }) => {
      if (error) say({ error: error.graphQLErrors[0]?.extensions?.code ?? error.message });
      else say({ title: data?.newIncidents.title });
    });
  },
};

await libraries[library]();
