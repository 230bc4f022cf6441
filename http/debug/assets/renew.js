// Makes what is shown look like what is wanted, and touches nothing that is the same already: so that
// what has the focus keeps it, and what is marked stays marked.

// What is shown in its place now.
function settle(shown, wanted) {
  if (shown.isEqualNode(wanted)) return shown;
  const alike = shown.nodeType === Node.ELEMENT_NODE && shown.nodeName === wanted.nodeName
    && shown.className === wanted.className && shown.childNodes.length === wanted.childNodes.length
    && shown.childElementCount > 0;
  if (!alike) {
    shown.replaceWith(wanted);
    return wanted;
  }
  const inside = [...wanted.childNodes];
  [...shown.childNodes].forEach((each, index) => settle(each, inside[index]));
  return shown;
}

// `wanted`: the rows of a table's body, each with its own `data-id`, in their order.
export function renew(body, wanted) {
  const shown = new Map([...body.children].map((each) => [each.dataset.id, each]));
  let place = body.firstElementChild;
  for (const row of wanted) {
    const held = shown.get(row.dataset.id);
    shown.delete(row.dataset.id);
    const inPlace = held && held === place;
    const kept = held ? settle(held, row) : row;
    if (inPlace) place = kept.nextElementSibling;
    else body.insertBefore(kept, place);
  }
  shown.forEach((each) => each.remove());
}
