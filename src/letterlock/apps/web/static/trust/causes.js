/** Why keys are new: what usually happened first, and last what it may be besides. */

import { el } from "../base/dom.js";
import { t } from "../base/strings.js";

/** @param {string} name @param {"new"|"differ"} [why] what was seen @returns {HTMLElement} */
export function causes(name, why = "new") {
  return el(
    "div",
    { class: "causes" },
    el("p", {}, t(`dialog.causes.${why}`, { name })),
    el(
      "ul",
      {},
      ["phone", "reinstalled", "moved", "expired"].map((cause) => el("li", {}, t(`dialog.causes.${cause}`))),
    ),
    el("p", {}, t("dialog.causes.else", { name })),
    el("p", {}, t("dialog.causes.call", { name })),
  );
}
