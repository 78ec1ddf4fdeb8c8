// What stands above a message: a new day, where the unread ones begin, and where the way of carrying changes.

import { el, icon } from "../base/dom.js";
import { dayOf, t } from "../base/strings.js";

/** @param {any} message @param {import("./surroundings.js").Surroundings} around */
export function dividers(message, around) {
  return [
    around.day && el("div", { class: "divider day" }, el("span", {}, dayOf(message.at))),
    around.unread && el("div", { class: "divider unread" }, el("span", {}, t("page.unread_here"))),
    around.from && transition(around.from),
  ];
}

// SR-01: where the way of carrying changes, the history says so, in words.
function transition(from) {
  const [shape, tone, key] = {
    encrypted: ["lock", "ok", "page.from_encrypted"],
    rcs: ["lock-open", "warn", "page.from_rcs"],
    sms: ["lock-struck", "warn", "page.from_sms"],
  }[from];
  return el("div", { class: `divider transition tone-${tone}` }, el("span", {}, icon(shape), t(key)));
}
