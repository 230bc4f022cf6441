// The page: GraphiQL, with our token, our protocol and our tabs.
import { createElement as h, useEffect } from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { useGraphiQLActions } from "@graphiql/react";
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

createRoot(document.querySelector("#playground")).render(
  h(GraphiQL, {
    fetcher: fetcherTelling(bar),
    defaultTabs: TABS,
    storage: storageOver(localStorage),
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
    inputValueDeprecation: true,
    defaultEditorToolsVisibility: matchMedia("(min-width: 761px)").matches ? "variables" : false,
  }, h(GraphiQL.Logo, {}, " "), h(Renewal)),
);
