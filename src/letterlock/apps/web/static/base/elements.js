// Which module has which element, and how elements that are not needed at first are put into the page.
//
// What each takes and gives:
//   ll-banner      chat                       below the header: keys new, no longer verified, ended, stuck, no keys
//   ll-attachment  message                    in a bubble: a file, its picture, video or voice
//   ll-location    message                    in a bubble: a place
//   ll-uploads     chat                       above the composer: what is on its way, with progress and cancel
//   ll-voice       chat, allow                in place of the composer's row while it records; event `done` when it
//   ends
//   ll-viewer      message                    presented; a picture or video large
//   ll-fallback    chat, error, waiting       presented; result {allow: token}, {keep: true} or null (Escape)
//   ll-code        chat                       presented; comparing the security code
//   ll-group       chat                       presented; the roster and what may be changed
//   ll-new-chat                               presented; result {chat} or null
//   ll-settings                               presented
// attachments.js also exports `attachMenu(anchor, to)` and `attachFiles(files, to)`.

import { el } from "./dom.js";

const MODULES = {
  "ll-banner": () => import("../trust/banner.js"),
  "ll-attachment": () => import("../files/attachments.js"),
  "ll-uploads": () => import("../files/attachments.js"),
  "ll-card": () => import("../chat/bot-card.js"),
  "ll-location": () => import("../files/location.js"),
  "ll-voice": () => import("../files/voice.js"),
  "ll-viewer": () => import("../files/media.js"),
  "ll-fallback": () => import("../trust/fallback.js"),
  "ll-code": () => import("../trust/code.js"),
  "ll-group": () => import("../screens/group.js"),
  "ll-new-chat": () => import("../screens/new-chat.js"),
  "ll-settings": () => import("../screens/settings.js"),
};

/**
 * An element at once; what it shows comes as soon as its module is there. `props` are set before it is upgraded in the
 * page, so `connected()` finds them.
 * @param {string} name
 * @param {Record<string, any>} [props]
 */
export function place(name, props = {}) {
  if (customElements.get(name)) return Object.assign(el(name), props);
  const holder = el("span", { class: "placed" });
  MODULES[name]().then(() => holder.replaceWith(Object.assign(el(name), props)));
  return holder;
}

/**
 * Show an element as a dialogue and wait for its answer: the element goes to the end of the page, its `show()` opens
 * it, and its event `closed` (detail: the result, null for Escape) ends it. The focus goes back to where it was.
 * @param {string} name
 * @param {Record<string, any>} [props]
 * @returns {Promise<any>}
 */
export async function present(name, props = {}) {
  const before = document.activeElement;
  await MODULES[name]();
  const shown = Object.assign(el(name), props);
  return new Promise((resolve) => {
    shown.addEventListener(
      "closed",
      (event) => {
        shown.remove();
        if (before instanceof HTMLElement && before.isConnected) before.focus();
        resolve(event.detail ?? null);
      },
      { once: true },
    );
    document.body.append(shown);
    shown.show?.();
  });
}

/** Fetch what the page will need soon, once it has nothing better to do. */
export function preload() {
  const idle = window.requestIdleCallback ?? ((f) => setTimeout(f, 200));
  // What does not come now is asked for again when it is needed.
  idle(() => Object.values(MODULES).forEach((load) => load().catch(() => {})));
}
