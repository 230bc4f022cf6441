// Small pictures: bars in a row of the table, and the chart of deliveries.

const SVG = "http://www.w3.org/2000/svg";
const POINTS = 90, WIDE = 900, HIGH = 64;

function draw(tag, given, ...inside) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

// How much of `whole` is `part`, in words too; `how` is good, busy or bad.
export function bar(part, whole, how, told) {
  const share = whole ? Math.min(1, part / whole) : 0;
  const made = document.createElement("span");
  made.className = "measure";
  made.append(draw("svg", { viewBox: "0 0 60 6", class: `bar ${how}`, "aria-hidden": "true" },
    draw("rect", { class: "room", width: 60, height: 6, rx: 3 }),
    draw("rect", { class: "part", width: share ? Math.max(3, 60 * share) : 0, height: 6, rx: 3 })), told);
  return made;
}

// A line of the last values, in their order; null makes a hole.
function line(values, name) {
  const top = Math.max(1e-9, ...values.map((each) => each ?? 0));
  let text = "", pen = "M";
  values.forEach((value, i) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const x = i * (WIDE / Math.max(POINTS / 3, values.length - 1));
    text += `${pen}${x.toFixed(1)} ${(HIGH - 4 - (HIGH - 10) * (value / top)).toFixed(1)}`;
    pen = "L";
  });
  return draw("path", { class: name, d: text, fill: "none", "vector-effect": "non-scaling-stroke" });
}

const shown = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function milliseconds(seconds) {
  if (seconds === null) return "no delivery";
  return seconds === Infinity ? "over 10 s" : `within ${shown.format(seconds * 1000)} ms`;
}

// Keeps the last looks, and shows them in an element.
export class Chart {
  #points = [];

  constructor(element) {
    this.element = element;
  }

  add({ perSecond, p99 }) {
    this.#points = [...this.#points.slice(1 - POINTS), { perSecond, p99 }];
    const rates = this.#points.map((each) => each.perSecond);
    const delays = this.#points.map((each) => (each.p99 === Infinity ? 10 : each.p99));
    const told = `${shown.format(perSecond)} deliveries/s`, late = `p99 ${milliseconds(p99)}`;
    const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", preserveAspectRatio: "none",
      "aria-label": `${told}, ${late}` }, line(rates, "rate"), line(delays, "delay"));
    const words = document.createElement("p");
    for (const [name, text] of [["rate", told], ["delay", late]]) {
      const word = document.createElement("span");
      word.className = name;
      word.textContent = text;
      words.append(word, " ");
    }
    this.element.replaceChildren(words, picture);
    this.element.hidden = false;
  }
}
