// One stop of the Tab key for a whole list; the arrow keys move inside it, and the focus is never lost.

/**
 * Make the children of `container` that match `selector` one stop.
 * @param {HTMLElement} container
 * @param {string} selector
 * @param {{signal: AbortSignal, columns?: number, wrap?: boolean, edge?: (forward: boolean) => void}} options `columns`
 *   of a grid; `edge` is told when somebody wants to go past an end
 */
export function roving(container, selector, { signal, columns = 0, wrap = false, edge = null }) {
  const items = () => [...container.querySelectorAll(selector)].filter((item) => !item.hidden);
  const move = (to, all) => {
    const target = all[to];
    if (!target) return;
    makeStop(container, selector, target);
    target.focus();
  };
  container.addEventListener(
    "keydown",
    (event) => {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
      if (!(event.target instanceof Element) || !event.target.matches(selector)) return;
      const all = items();
      const at = all.indexOf(event.target);
      const rtl = getComputedStyle(container).direction === "rtl";
      const steps = {
        ArrowDown: columns || 1,
        ArrowUp: -(columns || 1),
        ...(columns && { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1 }),
      };
      let to;
      if (event.key in steps) to = at + steps[event.key];
      else if (event.key === "Home") to = 0;
      else if (event.key === "End") to = all.length - 1;
      else return;
      event.preventDefault();
      if (to < 0 || to >= all.length) {
        edge?.(to > 0);
        if (!wrap) return;
        to = (to + all.length) % all.length;
      }
      move(to, all);
    },
    { signal },
  );
  container.addEventListener("focusin", (event) => {
    const item = event.target instanceof Element ? event.target.closest(selector) : null;
    if (item && container.contains(item)) makeStop(container, selector, item);
  }, { signal });
}

/** The Tab key comes to this one. */
export function makeStop(container, selector, stop) {
  for (const item of container.querySelectorAll(`${selector}[tabindex="0"]`)) if (item !== stop) item.tabIndex = -1;
  stop.tabIndex = 0;
}

/** After the list changed: there is a stop, whatever went away. */
export function keepStop(container, selector, fallback) {
  if (container.querySelector(`${selector}[tabindex="0"]`)) return;
  const all = container.querySelectorAll(selector);
  const stop = fallback ?? all[0];
  if (stop) stop.tabIndex = 0;
}
