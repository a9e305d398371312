// What a page owes people who do not see it as its author does: names, landmarks, headings, contrast, and room to press. Looked at
// from within the page; gives what is wrong, in words.

/** Runs in the page. */
export function problems() {
  const found = [];
  const all = [...document.querySelectorAll('body, body *')];
  const isShown = (node) => node.checkVisibility({ visibilityProperty: true });
  const name = (node) => `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ''}`;
  const textOf = (ids) => (ids ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('').trim();

  const ids = all.map(({ id }) => id).filter(Boolean);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`two nodes are called ${id}`);
  for (const attribute of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'for']) {
    for (const node of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of node.getAttribute(attribute).split(' ')) if (!ids.includes(id)) found.push(`${name(node)} refers to ${id}`);
    }
  }

  for (const node of document.querySelectorAll('button, input, textarea, [role=log], section, form')) {
    const label = node.getAttribute('aria-label') ?? (textOf(node.getAttribute('aria-labelledby'))
      || [...node.labels ?? []].map(({ textContent }) => textContent).join('')
      || (node.tagName === 'BUTTON' ? node.textContent.trim() : ''));
    const needs = node.tagName !== 'FORM' || node.parentElement === document.body;
    if (needs && !label) found.push(`${name(node)} has no name`);
  }
  for (const landmark of ['header', 'main', 'form[aria-label]', 'h1']) {
    if (document.querySelectorAll(`body > ${landmark}, body > header h1`).length === 0) found.push(`no ${landmark}`);
  }
  if (!document.documentElement.lang) found.push('no language');
  if (document.querySelector('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])')) found.push('an order of focus of its own');

  for (const node of document.querySelectorAll('button, input, textarea')) {
    const { width, height } = node.getBoundingClientRect();
    if (isShown(node) && (width < 24 || height < 24)) found.push(`${name(node)} is ${width} × ${height}`);
  }

  const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return { rgb: n.slice(0, 3), alpha: n[3] ?? 1 }; };
  const over = (top, under) => top.rgb.map((c, i) => c * top.alpha + under[i] * (1 - top.alpha));
  const backdrop = (node) => {
    if (!node) return [255, 255, 255];
    const color = parse(getComputedStyle(node).backgroundColor);
    return color.alpha === 1 ? color.rgb : over(color, backdrop(node.parentElement));
  };
  const luminance = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const check = (node, color, least, what) => {
    const under = backdrop(node);
    const ratio = contrast(over(parse(color), under), under);
    if (ratio < least) found.push(`${what} of ${name(node)}.${node.className} “${node.textContent.trim().slice(0, 20)}” has contrast ${ratio.toFixed(2)}`);
  };
  for (const node of all.filter(isShown)) {
    const style = getComputedStyle(node);
    const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (hasText && !node.closest('.unseen, .skip')) check(node, style.color, isLarge ? 3 : 4.5, 'text');
    if (node.placeholder) check(node, getComputedStyle(node, '::placeholder').color, 4.5, 'placeholder');
    if (['INPUT', 'TEXTAREA'].includes(node.tagName) && parseFloat(style.borderTopWidth) > 0) check(node.parentElement, style.borderTopColor, 3, 'edge');
  }
  return found;
}
