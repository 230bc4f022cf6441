// Bundles the playground: `node build.mjs TO`. One page script and its chunks, a script for each
// worker (whole: a worker may load nothing more), the styles, their fonts as files, and the licences
// of all that went in.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const to = process.argv[2];
if (!to) throw new Error("usage: node build.mjs TO");
rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });

const FONT = /url\(data:font\/(\w+);base64,([^)]+)\)/g;

// GraphiQL's style sheet holds its fonts, and all that Monaco needs.
const styles = {
  name: "styles",
  setup(bundle) {
    bundle.onLoad({ filter: /graphiql[/\\]dist[/\\]style\.css$/ }, ({ path }) => ({
      loader: "css",
      contents: readFileSync(path, "utf8").replace(FONT, (_, kind, text) => {
        const bytes = Buffer.from(text, "base64");
        const name = `font-${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.${kind}`;
        writeFileSync(join(to, name), bytes);
        return `url(/graphql/playground/${name})`;
      }),
    }));
    bundle.onLoad({ filter: /monaco-editor[/\\].*\.css$/ }, () => ({ loader: "js", contents: "" }));
    bundle.onResolve({ filter: /^\/graphql\/playground\// }, ({ path }) => ({ path, external: true }));
  },
};

const common = {
  bundle: true, minify: true, outdir: to, metafile: true, legalComments: "none", logLevel: "warning",
  target: "es2022", define: { "process.env.NODE_ENV": '"production"' }, loader: { ".graphql": "text" },
  plugins: [styles],
};
const built = await Promise.all([
  build({
    ...common, entryPoints: { main: "main.js" }, format: "esm", splitting: true, chunkNames: "chunk-[hash]",
  }),
  build({
    ...common, format: "iife",
    entryPoints: {
      "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
      "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
      "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
    },
  }),
]);

const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const places = new Set(built.flatMap(({ metafile }) => Object.keys(metafile.inputs))
  .map((path) => PACKAGE.exec(path)?.[1]).filter(Boolean));
const notices = [...places].sort().map((place) => {
  const { name, version, license } = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
  const files = readdirSync(place).filter((each) => /^(licen[cs]e|notice|thirdpartynotices)/i.test(each));
  const texts = files.sort().map((each) => readFileSync(join(place, each), "utf8").trim());
  return [`${name} ${version} (${license})`, ...texts].join("\n\n");
});
writeFileSync(join(to, "licenses.txt"), `${notices.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);
