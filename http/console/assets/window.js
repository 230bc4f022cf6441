// Which rows of a long list are to be drawn. Pure.

const SPARE = 6; // rows beyond what is seen, on both sides

// {from, to} of `count` rows of `row` pixels, for what is seen at `top` in `height` pixels.
export function seen(count, row, top, height) {
  const from = Math.max(0, Math.floor(top / row) - SPARE);
  const to = Math.min(count, Math.ceil((top + height) / row) + SPARE);
  return { from: Math.min(from, to), to };
}

// Where to scroll so that row `index` is seen whole; `top` where it is.
export function reveal(index, row, top, height) {
  if (index * row < top) return index * row;
  if ((index + 1) * row > top + height) return (index + 1) * row - height;
  return top;
}
