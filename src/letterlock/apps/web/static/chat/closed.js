// What stands in the composer's place where nothing can be written. What is to be decided stands in the banner; when
// that was put off there, the way back is here.

import { rpc } from "../daemon/api.js";
import { button, el, fill } from "../base/dom.js";
import { present } from "../base/elements.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";
import { toast } from "../base/toast.js";

/**
 * @param {HTMLElement} place
 * @param {any} chat
 * @param {boolean} put whether the banner is not there
 */
export function showClosed(place, chat, put) {
  const paused = chat.security.composer === "paused";
  const key = paused ? "page.paused_short" : chat.joined ? "page.closed" : "page.left_hint";
  const signature = `${key}/${put}`;
  if (place.dataset.shows === signature) return;
  place.dataset.shows = signature;
  fill(place, el("p", {}, t(key)), paused && put && el("div", { class: "choices" }, choices(chat.chat)));
}

function choices(chat) {
  const anyway = async () => {
    try {
      await rpc("accept_keys", { chat });
      await store.refreshChat(chat);
    } catch (error) {
      toast(error);
    }
  };
  return [
    button({ label: t("page.compare"), class: "primary", onclick: () => present("ll-code", { chat }) }),
    button({ label: t("page.send_anyway"), onclick: anyway }),
  ];
}
