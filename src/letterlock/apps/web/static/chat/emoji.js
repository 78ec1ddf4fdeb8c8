// Emoji to press: a few for a reaction, a small grid for the composer. Screen readers know what each is called.

import { el, frame } from "../base/dom.js";
import { beside } from "../base/menu.js";
import { roving } from "../base/roving.js";

/** Offered at once for a reaction. */
export const REACTIONS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

const GRID = [
  "😀", "😄", "😂", "🙂", "😉", "😊", "😍", "😘",
  "🤔", "😐", "😴", "😎", "😢", "😭", "😡", "😱",
  "👍", "👎", "👌", "✌️", "👏", "🙏", "💪", "👋",
  "❤️", "💛", "💚", "💙", "💔", "✨", "🎉", "🔥",
  "✅", "❌", "❓", "❗", "☀️", "🌧️", "⭐", "🌙",
  "☕", "🍕", "🍰", "🍎", "🚗", "🚆", "✈️", "🏠",
];

/**
 * Open the grid at a button and wait for a choice; null when it was closed.
 * @param {HTMLElement} anchor
 * @param {string} label
 * @returns {Promise<string|null>}
 */
export function pickEmoji(anchor, label) {
  const life = new AbortController();
  let chosen = null;
  const grid = el(
    "div",
    { class: "menu emoji-grid fades", role: "group", "aria-label": label, popover: "auto" },
    GRID.map((emoji, at) =>
      el(
        "button",
        {
          type: "button",
          tabindex: at ? -1 : 0,
          onclick: () => {
            chosen = emoji;
            grid.hidePopover();
          },
        },
        emoji,
      ),
    ),
  );
  frame().append(grid);
  roving(grid, "button", { signal: life.signal, columns: 8 });
  return new Promise((resolve) => {
    grid.addEventListener("toggle", (event) => {
      if (event.newState !== "closed") return;
      life.abort();
      grid.remove();
      if (anchor.isConnected) anchor.focus();
      resolve(chosen);
    });
    grid.showPopover();
    beside(grid, anchor);
    grid.querySelector("button").focus();
  });
}
