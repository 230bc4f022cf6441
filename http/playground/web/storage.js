// What GraphiQL may keep from one visit to the next: tabs and history, never a header, as headers
// hold tokens (its history would keep them).
const PREFIX = "graphiql:";
const HEADERS = `${PREFIX}headers`;
const LISTS = new Set([`${PREFIX}queries`, `${PREFIX}favorites`, `${PREFIX}tabState`]);

// As null: of tabs without the field GraphiQL would take none back.
const withoutHeaders = (text) => JSON.stringify(JSON.parse(text), (name, value) => (name === "headers" ? null : value));

const ours = (kept) => Object.keys(kept).filter((key) => key.startsWith(PREFIX));

export const storageOver = (kept) => ({
  getItem: (key) => kept.getItem(key),
  setItem(key, text) {
    if (key !== HEADERS) kept.setItem(key, LISTS.has(key) ? withoutHeaders(text) : text);
  },
  removeItem: (key) => kept.removeItem(key),
  clear: () => ours(kept).forEach((key) => kept.removeItem(key)),
  get length() {
    return ours(kept).length;
  },
});
