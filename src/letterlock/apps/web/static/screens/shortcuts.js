// Keys that work everywhere in the page. The settings show this list.

import { chatAddress, go, here } from "../base/route.js";
import { store } from "../daemon/store.js";

/** What the settings and the help say: the keys, and the key of their text. */
export const SHORTCUTS = [
  ["Ctrl K", "page.keys_search"],
  ["Alt N", "page.keys_new"],
  ["Alt ↓ / Alt ↑", "page.keys_chats"],
  ["↑ ↓", "page.keys_arrows"],
  ["Home / End", "page.keys_ends"],
  ["Enter", "page.keys_enter"],
  ["R", "page.keys_reply"],
  ["E", "page.keys_edit"],
  ["Shift Enter", "page.keys_line"],
  ["Esc", "page.keys_escape"],
];

export function listenToShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (here().shows === "chat" && matchMedia("(max-width: 47.99rem)").matches) go("#/");
      /** @type {any} */ (document.querySelector("ll-search"))?.focusField();
    } else if (event.altKey && !event.ctrlKey && event.code === "KeyN") {
      event.preventDefault();
      go("#/new");
    } else if (event.altKey && !event.ctrlKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    }
  });
}

function step(by) {
  const chats = store.sorted();
  const at = chats.findIndex((chat) => chat.chat === here().chat);
  const next = chats[at < 0 ? 0 : at + by];
  if (next) go(chatAddress(next.chat));
}
