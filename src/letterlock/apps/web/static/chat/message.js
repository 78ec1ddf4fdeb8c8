// One item of a conversation: a message with its state and what belongs to it, a notice, a gap, something unreadable.
// How it was carried is a fact of the message, and is never restyled by what the chat's state is now (SR-01).

import { openActions, react } from "./actions.js";
import { bdi, button, el, fill, icon, spoken } from "../base/dom.js";
import { place } from "../base/elements.js";
import { longText } from "./long-text.js";
import { cut, previewOf } from "./preview.js";
import { isFailed, statusOf } from "./status.js";
import { store } from "../daemon/store.js";
import { dayOf, listOf, momentOf, t, timeOf } from "../base/strings.js";

/**
 * @typedef {{day: boolean, from: "encrypted"|"rcs"|"sms"|"", unread: boolean, first: boolean, last: boolean, group:
 *   boolean, latest: boolean}} Surroundings what the neighbours make of it: a new day, a transition of encryption,
 *   where the unread ones begin, first and last of one sender's run, in a group, our latest
 */

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

  /** @param {any} message @param {Surroundings} around */
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
      this.message.kind !== "deleted" &&
      !(this.message.local && !isFailed(this.message))
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
        disabled: Boolean(reply.missing),
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

const isSystem = (message) => ["notice", "missing", "unreadable"].includes(message.kind);

/** Clauses of the daemon's table have no capital and no full stop, because a terminal joins them. */
function sentenceOf(clause) {
  const first = clause.charAt(0).toLocaleUpperCase() + clause.slice(1);
  return !first || /[.!?…]$/.test(first) ? first : `${first}.`;
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

/** What a sender of a mark is called: the chat of a contact has the name that the user gave. */
const nameOf = (sender) => store.chat(sender)?.name ?? sender;

const MOST_NAMED = 20;

function reactions(message) {
  const counted = new Map();
  for (const { emoji, mine, sender } of message.reactions) {
    const seen = counted.get(emoji) ?? { count: 0, mine: false, who: [] };
    if (seen.who.length < MOST_NAMED) seen.who.push(mine ? t("page.you") : cut(nameOf(sender), 40));
    counted.set(emoji, { count: seen.count + 1, mine: seen.mine || mine, who: seen.who });
  }
  return el(
    "div",
    { class: "reactions", role: "group", "aria-label": t("page.reactions") },
    [...counted].map(([emoji, { count, mine, who }]) =>
      el(
        "button",
        {
          type: "button",
          tabindex: -1,
          "aria-pressed": String(mine),
          "aria-label": t(mine ? "page.reaction_mine" : "page.reaction", { emoji: cut(emoji, 8), count }),
          title:
            count > who.length
              ? t("page.reaction_more", { names: who.join(", "), count: count - who.length })
              : listOf(who),
          onclick: () => react(message, emoji, mine),
        },
        el("span", { class: "emoji" }, cut(emoji, 8)),
        count > 1 && el("span", {}, String(count)),
      ),
    ),
  );
}

function dividers(message, around) {
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

/** What is no message: a change of the group or of keys, a gap, something that could not be read. */
function system(message) {
  if (message.kind === "notice") {
    return el(
      "p",
      { class: "notice" },
      bdi(message.notice?.text ?? message.text ?? ""),
      " ",
      el("time", { dir: "auto", dateTime: new Date(message.at).toISOString() }, timeOf(message.at)),
    );
  }
  const { reason, next_step: next } = message.outcome ?? {};
  const missing = message.kind === "missing";
  const who = whoseCard(message);
  return el(
    "div",
    { class: "card" },
    icon(missing ? "missing" : "broken"),
    el(
      "div",
      {},
      el(
        "p",
        { class: "card-title" },
        missing ? t("page.missing", { name: cut(who, 60) }) : t("page.unreadable", { name: cut(who, 60) }),
      ),
      [reason, next].filter(Boolean).map((part) => [el("p", { dir: "auto" }, sentenceOf(part)), " "]),
      missing && !reason && el("p", {}, t("page.missing_hint")),
      message.at ? el("time", { dir: "auto", dateTime: new Date(message.at).toISOString() }, timeOf(message.at)) : null,
    ),
  );
}

/** Of what could not be read nobody has proven who wrote it: then it is of the chat that it came in. */
function whoseCard(message) {
  return message.mine
    ? t("page.you")
    : message.sender_name || message.sender || store.chat(message.chat)?.name || message.chat;
}

/** All that matters of it in one line, for whoever moves through the conversation by ear. */
function spokenLine(message, around) {
  if (message.kind === "notice") return cut(message.notice?.text ?? message.text ?? "", 300);
  const who = cut(whoseCard(message), 60);
  if (message.kind === "missing") return t("page.missing", { name: who });
  if (message.kind === "unreadable") return t("page.unreadable", { name: who });
  return [
    `${who}: ${previewOf(message, 300)}`,
    around.day ? dayOf(message.at) : null,
    timeOf(message.at),
    message.edited_at != null ? t("page.edited") : null,
    t(message.encrypted ? "page.encrypted" : message.medium === "sms" ? "page.plain_sms" : "page.plain_rcs"),
    message.mine ? statusOf(message).label : null,
  ]
    .filter(Boolean)
    .join(", ");
}

customElements.define("ll-message", Message);
