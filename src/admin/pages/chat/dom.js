// Elements without markup: whatever a server says becomes text.

export const find = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text. Attributes that are `null` or `false` are left out. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A button that does something. */
export function button(text, act, attributes = {}) {
  const node = element('button', { type: 'button', ...attributes }, text);
  node.addEventListener('click', act);
  return node;
}

/** Shows a node or hides it, for everybody. */
export function show(node, isShown) {
  node.hidden = !isShown;
}
