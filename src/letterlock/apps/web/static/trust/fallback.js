/**
 * The question that is asked when a chat cannot be encrypted: keep waiting, send unencrypted, invite; or, where
 * encryption was ended, begin it again.
 *
 * Rules (SR-01): it names who will be able to read. Nothing is chosen beforehand; the first focus lets nothing out, and
 * Escape and the cross decide nothing. One button for each option that the daemon offers, and its token is all that an
 * answer holds. A choice, to keep waiting too, holds for the transition: the daemon asks no more, and refuses no more,
 * until the state of the chat is another one.
 */

import { aboutChat, called, chatName, chatOf } from "../daemon/about.js";
import { rpc } from "../daemon/api.js";
import { ask, Dialog } from "../base/dialog.js";
import { bdi, button, el, fill, icon } from "../base/dom.js";
import { invite } from "./invite.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

const MOST_LISTED = 20;
/** Where keys may come by themselves. */
const WAITED_FOR = new Set(["no-keys-found", "checking"]);
const ICONS = { "plain-rcs": "lock-open", "plain-sms": "lock-struck", business: "business" };

/**
 * Presented with `chat`, `error` (the refusal, with its options) and `waiting` (messages that wait, how many, or true:
 * ask). Its result is `{allow: token, name}`; `{keep: true}`, what was refused can be sent and will wait; or null:
 * nothing was decided, or nothing was refused.
 */
export class Fallback extends Dialog {
  /** @type {any} */ error = null;
  /** @type {any} */ waiting = null;

  build() {
    const { security, kind } = chatOf(this.chat);
    const state = this.error?.data?.reason ?? security.state;
    const why = this.error?.data ?? {};
    this.name = aboutChat(why.label || security.label || t("dialog.fallback.name"), this.chat);
    this.queue = el("section", { class: "fallback-queue", hidden: true });
    this.ways = el("ul", { class: "fallback-ways" });
    const lead = aboutChat(why.sentence || security.sentence || "", this.chat);
    fill(this.body, lead && el("p", { class: "fallback-why" }, lead), this.queue, this.ways);
    this.frame.setAttribute("aria-describedby", this.describe());
    this.actions([
      this.#none(state),
      state === "encryption-ended" && { label: t("dialog.banner.revive"), act: () => this.#revive() },
      WAITED_FOR.has(state) && kind !== "group" && { label: t("dialog.fallback.invite"), act: () => this.#invite() },
    ]);
    this.#offer(why.options ?? null);
    this.#list();
  }

  /** What lets nothing out, first and with the focus: to wait, where that is what would happen. */
  #none(state) {
    if (!WAITED_FOR.has(state)) return { label: t("dialog.fallback.not-now"), first: true, kind: "primary" };
    const act = state === "no-keys-found" ? () => this.#keep() : undefined;
    return { label: t("dialog.fallback.keep"), first: true, kind: "primary", act };
  }

  describe() {
    this.body.id = `${this.heading.id}-why`;
    return this.body.id;
  }

  async #offer(options) {
    const offered = options ?? (await rpc("options", { chat: chatName(this.chat) }).catch(() => []));
    fill(this.ways, offered.map((option) => this.#way(option)));
    this.ways.hidden = offered.length === 0;
  }

  #way(option) {
    const note = `${this.heading.id}-${option.name}`;
    return el(
      "li",
      { class: "fallback-way" },
      el("p", { id: note }, icon(ICONS[option.name] ?? "lock-open"), el("span", {}, option.sentence)),
      button({
        label: option.label,
        class: "choice plain-way",
        "aria-describedby": note,
        onclick: () => this.close({ allow: option.token, name: option.name }),
      }),
    );
  }

  async #list() {
    const waiting = await messagesWaiting(this.chat, this.waiting);
    this.queue.hidden = waiting.length === 0;
    if (waiting.length === 0) return;
    fill(
      this.queue,
      el("h3", {}, t("dialog.fallback.waiting", { count: waiting.length })),
      el("ol", {}, waiting.slice(0, MOST_LISTED).map((message) => el("li", {}, bdi(shortly(message))))),
      waiting.length > MOST_LISTED && el("p", {}, t("dialog.fallback.more", { count: waiting.length - MOST_LISTED })),
      el("p", { class: "fallback-all" }, t("dialog.fallback.all", { count: waiting.length })),
    );
  }

  async #keep() {
    await rpc("keep", { chat: chatName(this.chat) });
    store.refreshChat(chatName(this.chat));
    this.close(this.error ? { keep: true } : null);
  }

  /** What was refused is given back: it can be sent once the others have heard of it. */
  async #revive() {
    await rpc("encryption.revive", { chat: chatName(this.chat) });
    store.refreshChat(chatName(this.chat));
    this.close(null);
  }

  #invite() {
    return ask(invite(this.chat));
  }
}

customElements.define("ll-fallback", Fallback);

async function messagesWaiting(chat, given) {
  if (Array.isArray(given)) return given;
  if (given === 0 || given === false) return [];
  try {
    const { messages } = await rpc("messages", { chat: chatName(chat), limit: 100 });
    return messages.filter((message) => message.mine && message.status === "waiting");
  } catch {
    return [];
  }
}

/** What waits, in a line: its text, or what it is. */
function shortly({ kind, text, file }) {
  if (kind === "file") return file?.name || t("dialog.fallback.file");
  if (kind === "location") return t("dialog.fallback.place");
  return text ? text.slice(0, 120) : t("dialog.fallback.message");
}
