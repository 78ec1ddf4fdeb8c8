// The line above what one writes: which message is answered, or is being edited, and the way out of that.

import { bdi, button, el, fill, icon } from "../base/dom.js";
import { previewOf } from "./preview.js";
import { t } from "../base/strings.js";

/**
 * @param {HTMLElement} place
 * @param {any} message null: neither
 * @param {{editing: boolean, drop: () => void}} how
 */
export function showContext(place, message, { editing, drop }) {
  place.hidden = !message;
  if (!message) return;
  const name = message.mine ? t("page.you") : message.sender_name || message.sender;
  fill(
    place,
    icon(editing ? "edit" : "reply"),
    el(
      "div",
      { class: "context-what" },
      el(
        "span",
        { class: "context-title" },
        editing ? t("page.editing") : t("page.replying", { name: name.slice(0, 60) }),
      ),
      bdi(previewOf(message, 120), { class: "clip" }),
    ),
    button({
      label: editing ? t("page.edit_cancel") : t("page.reply_cancel"),
      icon: "close",
      class: "bare",
      onclick: drop,
    }),
  );
}
