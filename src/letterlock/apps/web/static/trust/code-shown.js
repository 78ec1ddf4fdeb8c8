/** A security code as it is shown: whose it is, its QR code, its digits, and from when the keys are. */

import { called } from "../daemon/about.js";
import { bdi, button, el, icon } from "../base/dom.js";
import { qr } from "./qr.js";
import { dayOf, t, timeOf } from "../base/strings.js";

/**
 * @param {any} code what the daemon answered to `code`
 * @param {any} chat
 * @param {() => void} refresh fetches both ends' keys again
 * @returns {HTMLElement[]}
 */
export function shownCode({ groups, qr: rows, me, them, me_name, them_name, fetched_at, fresh }, chat, refresh) {
  const names = el(
    "p",
    { class: "code-names" },
    person(me_name === me ? t("dialog.viewer.mine") : me_name, me),
    icon("forward"),
    person(them_name || called(chat), them),
  );
  const numbers = el(
    "div",
    { class: "code-groups", dir: "ltr", role: "list", "aria-label": t("dialog.code.digits") },
    groups.map((digits, at) =>
      el(
        "span",
        { role: "listitem" },
        el(
          "span",
          {
            role: "group",
            class: "code-group",
            // Orca says the label instead of the text: so it holds the digits, apart, that they are not read as a number.
            "aria-label": t("dialog.code.group", { at: at + 1, of: groups.length, digits: [...digits].join(" ") }),
          },
          digits,
        ),
      ),
    ),
  );
  const known = { day: dayOf(fetched_at), time: timeOf(fetched_at) };
  const when = fetched_at
    ? t(fresh === false ? "dialog.code.stale" : "dialog.code.fetched", known)
    : t("dialog.code.unasked");
  const again = button({
    label: t("dialog.code.refresh"),
    icon: "retry",
    text: true,
    class: "link",
    onclick: refresh,
  });
  return [
    el("figure", { class: "code-qr" }, qr(rows, t("dialog.code.qr", { name: called(chat) }))),
    el("div", { class: "code-text" }, names, numbers, el("p", { class: "code-fetched" }, when, " ", again)),
  ];
}

function person(name, number) {
  return el(
    "span",
    { class: "code-person" },
    name && name !== number ? [el("strong", {}, bdi(name)), " "] : null,
    bdi(number),
  );
}
