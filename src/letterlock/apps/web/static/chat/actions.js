// What can be done with a message, and what happens when the daemon asks for a decision first.

import { rpc } from "../daemon/api.js";
import { el } from "../base/dom.js";
import { present } from "../base/elements.js";
import { REACTIONS } from "./emoji.js";
import { openMenu } from "../base/menu.js";
import { isFailed } from "./status.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";
import { toast } from "../base/toast.js";

/**
 * Do something that the chat's state may forbid. What would go unencrypted is asked about once, and done only with the
 * option that the user chose (SR-01); where keys have changed the codes come first. Raises what is no decision.
 * @param {string} chat
 * @param {(allowed: {allow?: string}) => Promise<any>} attempt
 * @returns {Promise<{done: boolean, answer?: any}>}
 */
export async function withDecision(chat, attempt) {
  try {
    return { done: true, answer: await attempt({}) };
  } catch (error) {
    if (error.notEncrypted && error.data.options?.length) {
      const chosen = await present("ll-fallback", { chat, error, waiting: 0 });
      if (!chosen) return { done: false };
      return { done: true, answer: await attempt(chosen.allow ? { allow: chosen.allow } : {}) };
    }
    if (error.needsTrust) {
      await present("ll-code", { chat });
      return { done: false };
    }
    throw error;
  }
}

/** Put an emoji on a message, or take it away. */
export async function react(message, emoji, remove = false) {
  const { chat, message_id } = message;
  try {
    await withDecision(chat, (allowed) => rpc("react", { chat, message_id, emoji, remove, ...allowed }));
    store.touch(chat, message_id);
  } catch (error) {
    toast(error);
  }
}

async function remove(message) {
  const { chat, message_id } = message;
  const { confirm } = await import("../base/dialog.js");
  const sure = await confirm({
    name: t("page.delete_ask"),
    text: t("page.delete_hint"),
    yes: t("page.delete"),
    danger: true,
  });
  if (!sure) return;
  try {
    await withDecision(chat, (allowed) => rpc("delete", { chat, message_id, ...allowed }));
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
  const settled = !message.local;
  const row = settled ? emojiRow(message) : null;
  return openMenu(shown, {
    label: t("page.actions"),
    box: shown.querySelector(".bubble"),
    above: row,
    at,
    items: [
      isFailed(message) && { label: t("page.try_again"), icon: "retry", act: () => tell("again") },
      settled && { label: t("page.reply"), icon: "reply", act: () => tell("reply") },
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
      settled &&
        message.mine &&
        message.kind === "text" && { label: t("page.edit"), icon: "edit", act: () => tell("edit") },
      settled && message.mine && { label: t("page.delete"), icon: "delete", danger: true, act: () => remove(message) },
      !settled && {
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
