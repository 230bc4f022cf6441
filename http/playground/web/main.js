// The page: GraphiQL, with our token, our protocol and our tabs.
import { createElement as h, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import "graphiql/style.css";
import "./playground.css";
import { Bar } from "./bar.js";
import { fetcherTelling } from "./fetcher.js";
import { storageOver } from "./storage.js";
import { TABS } from "./tabs.js";

const WORKERS = { json: "json", graphql: "graphql" };
globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(`/graphql/playground/${WORKERS[label] ?? "editor"}.worker.js`),
};

const page = new EventTarget();
const bar = new Bar(() => page.dispatchEvent(new Event("token")));

// With another token the schema is asked for again.
function Renewal() {
  const { introspect } = useGraphiQLActions();
  useEffect(() => {
    page.addEventListener("token", introspect);
    return () => page.removeEventListener("token", introspect);
  }, [introspect]);
  return null;
}

// GraphiQL tells its editors of a tab when that is chosen, and begins them with the first one's text:
// a tab that was chosen before an editor was there is told to it here.
const chosen = pick("queryEditor", "variableEditor", "headerEditor", "tabs", "activeTabIndex");

function Chosen() {
  const { queryEditor, variableEditor, headerEditor, tabs, activeTabIndex } = useGraphiQL(chosen);
  const { query, variables, headers } = tabs[activeTabIndex];
  useEffect(() => tell(queryEditor, query), [queryEditor]);
  useEffect(() => tell(variableEditor, variables), [variableEditor]);
  useEffect(() => tell(headerEditor, headers), [headerEditor]);
  return null;
}

function tell(editor, text) {
  if (editor && editor.getValue() !== (text ?? "")) editor.setValue(text ?? "");
}

createRoot(document.querySelector("#playground")).render(
  h(GraphiQL, {
    fetcher: fetcherTelling(bar),
    defaultTabs: TABS,
    storage: storageOver(localStorage),
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
    inputValueDeprecation: true,
    defaultEditorToolsVisibility: matchMedia("(min-width: 761px)").matches ? "variables" : false,
  }, h(GraphiQL.Logo, {}, " "), h(Renewal), h(Chosen)),
);
