// How long to wait before the next attempt: twice as long each time, and never all at once. Pure.

const FIRST = 500; // milliseconds
const MOST = 30_000;

// `attempt` counts from 0; `random` is a number from 0 to 1. Half of the wait is left to chance.
export function wait(attempt, random = Math.random()) {
  const whole = Math.min(MOST, FIRST * 2 ** Math.min(attempt, 16));
  return whole / 2 + (whole / 2) * random;
}
