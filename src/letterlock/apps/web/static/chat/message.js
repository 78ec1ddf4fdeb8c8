// One item of a conversation: a message with its state and what belongs to it, a notice, a gap, something unreadable.
// How it was carried is a fact of the message, and is never restyled by what the chat's state is now (SR-01).

import { openActions } from "./actions.js";
import { dividers } from "./dividers.js";
import { bdi, button, el, fill, icon, spoken } from "../base/dom.js";
import { place } from "../base/elements.js";
import { longText } from "./long-text.js";
import { cut, previewOf, spokenLine } from "./preview.js";
import { reactions } from "./reactions.js";
import { isFailed, statusOf } from "./status.js";
import { store } from "../daemon/store.js";
import { momentOf, sentenceOf, t, timeOf } from "../base/strings.js";
import { isSystem, system } from "./system.js";

/** `show(message, surroundings)`; it renders when either is another one than before. */
export class Message extends HTMLElement {
  message = null;
  #around = "";

  constructor() {
    super();
    this.addEventListener("contextmenu", (event) => {
      // The browser's own menu is wanted where text is marked or a link or picture was meant.
      if (!getSelection()?.isCollapsed || event.target.closest?.("a, img, video")) return;
      if (!this.#hasActions()) return;
      event.preventDefault();
      openActions(this, { x: event.clientX, y: event.clientY });
    });
    this.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** @param {any} message @param {import("./surroundings.js").Surroundings} around */
  show(message, around) {
    const signature = JSON.stringify(around);
    if (this.message === message && this.#around === signature) return;
    this.message = message;
    this.#around = signature;
    this.chat = message.chat;
    this.dataset.messageId = message.message_id;
    this.setAttribute("role", "article");
    if (!this.hasAttribute("tabindex")) this.tabIndex = -1;
    this.setAttribute("aria-label", spokenLine(message, around));
    const own = message.mine && !isSystem(message);
    this.className = [
      `kind-${message.kind}`,
      own ? "mine" : "theirs",
      around.first && "first",
      around.last && "last",
      !message.encrypted && !isSystem(message) && "plain",
      isFailed(message) && "failed",
      message.local && "local",
      around.group && "in-group",
    ]
      .filter(Boolean)
      .join(" ");
    const focused = document.activeElement;
    const held = this.contains(focused) && focused !== this;
    fill(this, dividers(message, around), isSystem(message) ? system(message) : this.#bubble(message, around));
    if (held) (this.contains(focused) ? focused : this).focus({ preventScroll: true });
  }

  #bubble(message, around) {
    const named = around.group && !message.mine && around.first;
    return [
      el(
        "div",
        { class: "row" },
        el(
          "div",
          { class: "bubble" },
          named && bdi(cut(message.sender_name || message.sender, 60), { class: "sender clip" }),
          message.reply && this.#quote(message.reply),
          el(
            "div",
            { class: "line" },
            el("div", { class: "content" }, contentOf(message, this.querySelector("ll-attachment"))),
            meta(message, around),
          ),
        ),
        this.#hasActions() &&
          button({
            label: t("page.actions"),
            icon: "more",
            class: "bare more",
            tabindex: -1,
            onclick: () => openActions(this),
          }),
      ),
      message.reactions?.length > 0 && reactions(message),
      isFailed(message) && this.#failure(message),
    ];
  }

  #hasActions() {
    return (
      this.message &&
      !isSystem(this.message) &&
      this.message.kind !== "deleted"
    );
  }

  #quote(reply) {
    const who = reply.missing
      ? ""
      : reply.sender === store.me?.number
        ? t("page.you")
        : reply.sender_name || reply.sender || "";
    return el(
      "button",
      {
        type: "button",
        class: "quote",
        tabindex: -1,
        disabled: Boolean(reply.missing) || !reply.message_id,
        onclick: () => this.dispatchEvent(new CustomEvent("jump", { bubbles: true, detail: reply.message_id })),
      },
      spoken(`${t("page.in_reply_to")} `),
      who && bdi(cut(who, 60), { class: "quote-who clip" }),
      bdi(reply.missing ? t("page.reply_missing") : previewOf(reply, 160), { class: "quote-text" }),
    );
  }

  #failure(message) {
    const { reason, next_step: next } = message.outcome ?? { reason: t("page.unsent"), next_step: "" };
    return el(
      "div",
      { class: "failure" },
      icon("warning"),
      el(
        "div",
        {},
        [reason, next].filter(Boolean).map((part) => [el("p", { dir: "auto" }, sentenceOf(part)), " "]),
      ),
      button({
        label: t("page.try_again"),
        class: "link",
        onclick: () => this.dispatchEvent(new CustomEvent("again", { bubbles: true, detail: message })),
      }),
    );
  }

  #pressed(event) {
    if (event.target !== this || event.ctrlKey || event.metaKey || event.altKey) return;
    const ask = { r: "reply", e: "edit" }[event.key.toLowerCase()];
    if (event.key === "Enter" || event.key === " " || event.key === "ContextMenu") {
      event.preventDefault();
      if (this.#hasActions()) openActions(this);
    } else if (ask && this.#hasActions()) {
      if (ask === "edit" && !(this.message.mine && this.message.kind === "text")) return;
      event.preventDefault();
      this.dispatchEvent(new CustomEvent(ask, { bubbles: true, detail: this.message }));
    }
  }
}

/** `held` is the file that is shown already: a film that plays goes on although the message has another status now. */
function contentOf(message, held) {
  switch (message.kind) {
    case "deleted":
      return el("p", { class: "gone" }, icon("delete"), t(message.mine ? "page.deleted_by_you" : "page.deleted"));
    case "file":
      return [
        held?.message?.message_id === message.message_id
          ? Object.assign(held, { message })
          : place("ll-attachment", { message }),
        message.text ? longText(message.text) : null,
      ];
    case "location":
      return place("ll-location", { message });
    case "bot":
      return place("ll-card", { message });
    case "text":
      return longText(message.text ?? "");
    default:
      return message.text
        ? longText(message.text)
        : el("p", { class: "gone" }, icon("file"), t("page.unknown", { type: cut(message.content_type, 60) }));
  }
}

function meta(message, around) {
  const failed = isFailed(message);
  const status = message.mine ? statusOf(message) : null;
  return el(
    "div",
    { class: "meta" },
    message.edited_at != null &&
      message.kind !== "deleted" &&
      el(
        "details",
        { class: "edited" },
        el("summary", { tabindex: -1 }, t("page.edited")),
        el(
          "div",
          { class: "original" },
          el("span", { class: "original-label" }, t("page.original")),
          longText(message.original ?? ""),
        ),
      ),
    !message.encrypted &&
      el(
        "span",
        { class: "carried" },
        icon(message.medium === "sms" ? "lock-struck" : "lock-open"),
        t(message.medium === "sms" ? "page.plain_sms" : "page.plain_rcs"),
      ),
    el(
      "time",
      { dir: "auto", dateTime: new Date(message.at).toISOString(), title: momentOf(message.at) },
      timeOf(message.at),
    ),
    message.encrypted && el("span", { class: "glyph locked", title: t("page.encrypted") }, icon("lock")),
    status &&
      el(
        "span",
        { class: `status tone-${status.tone}`, title: status.label },
        icon(status.shape),
        around.latest || failed || message.superseded_by || message.status === "waiting"
          ? el("span", {}, status.label)
          : spoken(status.label),
      ),
  );
}

customElements.define("ll-message", Message);
