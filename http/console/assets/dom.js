// Elements, made without markup: text stays text.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, given, inside) {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...inside.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

export const h = (tag, given = {}, ...inside) => fill(document.createElement(tag), given, inside);
export const s = (tag, given = {}, ...inside) => fill(document.createElementNS(SVG, tag), given, inside);

// Put text where it is not yet: what has not changed is left alone.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const badge = (severity) => h("span", { class: `badge ${severity}` }, severity);
export const stateOf = (state, word) => h("span", { class: `state ${state}` }, word);
