// Times and numbers as people read them. Pure.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

const two = (number) => String(number).padStart(2, "0");

// 7 s, 12:05, 3 h 20 m, 2 d 4 h
export function age(milliseconds) {
  const span = Math.max(0, milliseconds);
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)}:${two(Math.floor(span / SECOND) % 60)}`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h ${two(Math.floor(span / MINUTE) % 60)} m`;
  return `${Math.floor(span / DAY)} d ${Math.floor(span / HOUR) % 24} h`;
}

// 45 s, 12 min, 3.5 h, 2 d: one figure for a chart.
export function rough(milliseconds) {
  const one = (number) => (number < 10 ? Math.round(number * 10) / 10 : Math.round(number));
  if (milliseconds < MINUTE) return `${Math.round(milliseconds / SECOND)} s`;
  if (milliseconds < HOUR) return `${one(milliseconds / MINUTE)} min`;
  if (milliseconds < DAY) return `${one(milliseconds / HOUR)} h`;
  return `${one(milliseconds / DAY)} d`;
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

// The time of day; with its date if that is not today's.
export function when(text, now = new Date()) {
  const at = new Date(text);
  return (at.toDateString() === now.toDateString() ? clock : date).format(at);
}

const whole = new Intl.NumberFormat("en");
export const count = (number) => whole.format(number);
export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

// IN_THIS_WAY -> In this way
export const plain = (name) => name.charAt(0) + name.slice(1).toLowerCase().replaceAll("_", " ");
