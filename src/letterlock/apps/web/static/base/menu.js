// A menu at a button or a message: arrow keys move, Enter chooses, Escape closes and gives the focus back.

import { el, frame, icon } from "./dom.js";
import { roving } from "./roving.js";

/**
 * @typedef {{label: string, icon?: string, danger?: boolean, act: () => void}} Item
 */

/**
 * Open a menu and wait until it closes.
 * @param {HTMLElement} anchor what it belongs to; the focus returns there
 * @param {{label: string, items: (Item|false|null)[], above?: HTMLElement|null, box?: HTMLElement, at?: {x: number, y:
 *   number}}} options `above`: a row on top of the items, of buttons with the role menuitemcheckbox; `box`: what it
 *   stands beside, if that is not the anchor; `at`: where a pointer asked for it
 */
export function openMenu(anchor, { label, items, above = null, box = anchor, at }) {
  const life = new AbortController();
  const back =
    document.activeElement instanceof HTMLElement && document.activeElement !== document.body
      ? document.activeElement
      : anchor;
  let chosen = null;
  const menu = el(
    "div",
    { class: "menu fades", role: "menu", "aria-label": label, popover: "auto" },
    above,
    items.filter(Boolean).map((item) =>
      el(
        "button",
        {
          type: "button",
          role: "menuitem",
          tabindex: -1,
          class: item.danger ? "danger" : "",
          onclick: () => {
            chosen = item;
            menu.hidePopover();
          },
        },
        item.icon && icon(item.icon),
        el("span", {}, item.label),
      ),
    ),
  );
  frame().append(menu);
  roving(menu, "button", { signal: life.signal, wrap: true });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    event.preventDefault();
    menu.hidePopover();
  });
  return new Promise((resolve) => {
    menu.addEventListener("toggle", (event) => {
      if (event.newState !== "closed") return;
      life.abort();
      // The row above closes the menu by itself once something there was pressed.
      const held = menu.contains(document.activeElement) || document.activeElement === document.body;
      menu.remove();
      if (held && back.isConnected) back.focus();
      chosen?.act();
      resolve();
    });
    menu.showPopover();
    beside(menu, box, at);
    (menu.querySelector("button:not(.emoji)") ?? menu.querySelector("button"))?.focus();
  });
}

/** Put what is in the top layer beside its anchor, inside the window. */
export function beside(shown, anchor, at) {
  const box = at ? new DOMRect(at.x, at.y, 0, 0) : anchor.getBoundingClientRect();
  const own = shown.getBoundingClientRect();
  const gap = 6;
  const rtl = document.documentElement.dir === "rtl";
  const below = box.bottom + gap + own.height <= innerHeight;
  const top = below ? box.bottom + gap : Math.max(gap, box.top - gap - own.height);
  const start = rtl ? box.right - own.width : box.left;
  shown.style.setProperty("top", `${Math.min(top, innerHeight - own.height - gap)}px`);
  shown.style.setProperty("left", `${Math.max(gap, Math.min(start, innerWidth - own.width - gap))}px`);
}
