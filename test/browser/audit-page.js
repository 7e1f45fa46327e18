/* global document, getComputedStyle, NodeFilter, Element, HTMLElement */
/*
 * Runs inside the page and lists what a person with weak eyes, or none, would stumble over: text whose contrast is below
 * WCAG 2.2 AA (1.4.3: 4.5, large text 3) and controls without a name (4.1.2). Evaluates to an array of sentences.
 */
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const problems = [];

  /** Any CSS colour as [r, g, b, a]: the browser itself knows how to draw it. */
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [r2, g2, b2]) => [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];
  const background = (element) => {
    const layers = [];
    for (let at = element; at instanceof Element; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isSpokenOnly = (element) => element.closest('.spoken') !== null;
  const isDisabled = (element) => element.closest(':disabled, [aria-disabled]') !== null;

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const element = node.parentElement;
    const words = node.textContent.trim();
    if (words === '' || element === null || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (isSpokenOnly(element) || isDisabled(element) || element.closest('.skip') !== null) continue;
    // What lies under an open dialog is out of reach, and dimmed on purpose.
    if (document.querySelector('.backdrop') !== null && element.closest('.dialog') === null) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const behind = background(element);
    const found = contrast(over(rgba(style.color), behind), behind);
    if (found < (isLarge ? 3 : 4.5)) problems.push(`“${words.slice(0, 40)}” has a contrast of ${found.toFixed(2)}`);
  }

  for (const control of document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [role], [tabindex="0"]',
  )) {
    if (!(control instanceof HTMLElement) || !control.checkVisibility({ visibilityProperty: true })) continue;
    const role = control.getAttribute('role');
    const needsName =
      role === null ||
      [
        'grid',
        'row',
        'log',
        'dialog',
        'alertdialog',
        'menu',
        'menuitem',
        'radiogroup',
        'progressbar',
        'searchbox',
        'switch',
      ].includes(role);
    if (!needsName || (role === 'row' && control.querySelector('[role="columnheader"]') !== null)) continue;
    const labelledBy = control.getAttribute('aria-labelledby');
    const name =
      control.getAttribute('aria-label') ??
      (labelledBy === null ? null : document.getElementById(labelledBy)?.textContent) ??
      [...(control.labels ?? [])].map((label) => label.textContent).join(' ');
    if ((name || control.textContent).trim() === '') problems.push(`${control.outerHTML.slice(0, 120)} has no name`);
  }
  return [...new Set(problems)];
})();
