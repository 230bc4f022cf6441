// The token of whoever looks: kept for this tab alone, the same that the console keeps.
const TOKEN = "incident-manager.token";
const KEY = "lim_"; // how an API key begins

export const token = () => sessionStorage.getItem(TOKEN) ?? "";

export function keep(given) {
  const bare = given.trim().replace(/^Bearer\s+/i, "");
  if (bare) sessionStorage.setItem(TOKEN, bare);
  else sessionStorage.removeItem(TOKEN);
}

// What says who asks: headers of a request, and the payload of a connection_init.
export function credentials(held = token()) {
  if (!held) return {};
  return held.startsWith(KEY) ? { "X-API-Key": held } : { Authorization: `Bearer ${held}` };
}
