// What can be done with a message. What was sent just now has no id yet: what is asked of it is done as soon as the daemon
// has it.

import { rpc } from "../daemon/api.js";
import { el } from "../base/dom.js";
import { REACTIONS } from "./emoji.js";
import { openMenu } from "../base/menu.js";
import { isFailed } from "./status.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";
import { toast } from "../base/toast.js";
import { withDecision } from "../trust/deciding.js";

/** Put an emoji on a message, or take it away. */
export function react(message, emoji, remove = false) {
  return change(message, "react", { emoji, remove });
}

async function remove(message) {
  const { confirm } = await import("../base/dialog.js");
  const sure = await confirm({
    name: t("page.delete_ask"),
    text: t("page.delete_hint"),
    yes: t("page.delete"),
    danger: true,
  });
  if (sure) await change(message, "delete");
}

async function change(message, method, what = {}) {
  const { chat } = message;
  const message_id = await store.idOf(message);
  if (!message_id) return toast(t("page.not_sent"));
  try {
    await withDecision(chat, (allowed) => rpc(method, { chat, message_id, ...what, ...allowed }));
    store.touch(chat, message_id);
  } catch (error) {
    toast(error);
  }
}

async function copy(message) {
  try {
    await navigator.clipboard.writeText(message.text ?? "");
    toast(t("page.copied"));
  } catch {
    toast(t("page.not_copied"));
  }
}

/**
 * The menu of a message.
 * @param {any} shown the ll-message
 * @param {{x: number, y: number}} [at] where it was asked for with a pointer
 */
export function openActions(shown, at) {
  const { message } = shown;
  const tell = (type) => shown.dispatchEvent(new CustomEvent(type, { bubbles: true, detail: message }));
  // What did not get to the daemon is only here: there is nothing to answer or to take back.
  const sent = !message.unsent;
  return openMenu(shown, {
    label: t("page.actions"),
    box: shown.querySelector(".bubble"),
    above: sent ? emojiRow(message) : null,
    at,
    items: [
      isFailed(message) && { label: t("page.try_again"), icon: "retry", act: () => tell("again") },
      sent && { label: t("page.reply"), icon: "reply", act: () => tell("reply") },
      message.reply &&
        !message.reply.missing && {
          label: t("page.to_answered"),
          icon: "up",
          act: () => shown.dispatchEvent(new CustomEvent("jump", { bubbles: true, detail: message.reply.message_id })),
        },
      message.edited_at != null && {
        label: t("page.show_original"),
        icon: "clock",
        act: () => shown.querySelector(".edited")?.toggleAttribute("open"),
      },
      message.text && { label: t("page.copy"), icon: "copy", act: () => copy(message) },
      sent &&
        message.mine &&
        message.kind === "text" && { label: t("page.edit"), icon: "edit", act: () => tell("edit") },
      sent && message.mine && { label: t("page.delete"), icon: "delete", danger: true, act: () => remove(message) },
      !sent && {
        label: t("page.discard"),
        icon: "delete",
        danger: true,
        act: () => store.window(message.chat).settle(message, null),
      },
    ],
  });
}

function emojiRow(message) {
  const mine = new Set(message.reactions?.filter((mark) => mark.mine).map((mark) => mark.emoji));
  const row = el("div", { class: "emoji-row", role: "group", "aria-label": t("page.react") });
  for (const emoji of new Set([...REACTIONS, ...mine])) {
    row.append(
      el(
        "button",
        {
          type: "button",
          role: "menuitemcheckbox",
          class: "emoji",
          tabindex: -1,
          "aria-checked": String(mine.has(emoji)),
          onclick: () => {
            row.parentElement.hidePopover();
            react(message, emoji, mine.has(emoji));
          },
        },
        emoji,
      ),
    );
  }
  return row;
}
