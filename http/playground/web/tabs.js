// The ready-made tabs: the five subscriptions, then a query, and a mutation to try them with.
import activeIncidents from "./operations/activeIncidents.graphql";
import alerts from "./operations/alerts.graphql";
import criticalIncidents from "./operations/criticalIncidents.graphql";
import incidentStateChanges from "./operations/incidentStateChanges.graphql";
import incidentUpdates from "./operations/incidentUpdates.graphql";
import newIncidents from "./operations/newIncidents.graphql";
import submitAlert from "./operations/submitAlert.graphql";

const tab = (query, variables = null) => ({
  query, variables: variables && JSON.stringify(variables, null, 2), headers: null,
});

export const TABS = [
  tab(criticalIncidents),
  tab(incidentUpdates, { severities: [], activeOnly: false }),
  tab(newIncidents, { severities: [] }),
  tab(incidentStateChanges),
  tab(alerts, { sources: [], severities: [] }),
  tab(activeIncidents),
  tab(submitAlert, {
    input: { source: "playground", title: "Time to first token above 4 s", description: "From the playground.", severity: "P1" },
  }),
];
