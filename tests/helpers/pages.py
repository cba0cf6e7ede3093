"""What tests ask a browser of a page."""

# Elements that stick out of the window, but for those in a box that scrolls on its own.
OVERFLOWING = """(() => {
  const wide = document.documentElement.clientWidth, out = [];
  for (const element of document.querySelectorAll('body *')) {
    if (element.closest('.scroll, pre, svg, .tabs > input')) {
      if (!element.matches('.scroll, pre, svg')) continue;
    }
    const box = element.getBoundingClientRect();
    if (box.width && (box.right > wide + 1 || box.left < -1)) out.push(`${element.tagName}.${element.className}`);
  }
  if (document.documentElement.scrollWidth > wide) out.push('the page');
  return out;
})()"""
# The least contrast (WCAG 2.1) of an element's own words with what lies behind them.
LEAST_CONTRAST = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = numbers(colour).slice(0, 3).map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour).length < 4 || numbers(colour)[3] === 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  let least = 21;
  const words = 'h1, h2, h3, h4, p, td, th, dd, dt, li, a, figcaption, summary, label, span, small, svg text';
  for (const element of document.querySelectorAll(words)) {
    const style = getComputedStyle(element);
    if (!element.textContent.trim()) continue;
    const [a, b] = [light(element instanceof SVGElement ? style.fill : style.color), light(behind(element))];
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
})()"""
