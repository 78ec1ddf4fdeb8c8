// The list of chats, with the search above it. One stop of the Tab key; arrows move, Enter opens.

import { avatar } from "./avatar.js";
import { View, bdi, button, el, fill, icon, spoken } from "../base/dom.js";
import { cut, previewOf } from "./preview.js";
import { chatAddress, go } from "../base/route.js";
import { keepStop, roving } from "../base/roving.js";
import { glyph } from "../trust/security.js";
import { statusOf } from "./status.js";
import { store } from "../daemon/store.js";
import { briefly, t } from "../base/strings.js";
import "./search.js";

const ITEM = "a.chat";

/** `current`: the chat that is open. */
export class ChatList extends View {
  #current = "";
  #rows = new Map();

  connected() {
    this.searching = el("ll-search");
    this.list = el("ul", { class: "chats", role: "list", "aria-label": t("page.chats") });
    this.empty = el("div", { class: "list-empty", hidden: true });
    fill(
      this,
      el(
        "header",
        { class: "side-head" },
        el("p", { class: "wordmark", "aria-hidden": "true" }, t("page.title")),
        button({ label: t("page.settings"), icon: "settings", class: "bare", onclick: () => go("#/settings") }),
        button({ label: t("page.new_chat"), icon: "compose", class: "bare", onclick: () => go("#/new") }),
      ),
      this.searching,
      el("nav", { class: "side-body", "aria-label": t("page.chats") }, this.list, this.empty),
    );
    roving(this.list, ITEM, { signal: this.life });
    this.listen(store, "chats", () => this.render());
    this.listen(store, "typing", ({ detail }) => this.#renderRow(detail.chat));
    this.listen(this.searching, "searching", ({ detail }) => {
      this.querySelector(".side-body").hidden = detail.active;
    });
    this.render();
  }

  get current() {
    return this.#current;
  }

  set current(chat) {
    const before = this.#current;
    this.#current = chat;
    for (const name of [before, chat]) this.#renderRow(name);
  }

  /** Show what was found for a text. */
  search(text, chat) {
    this.searching.search(text, chat);
  }

  /** The focus to a chat's row, for whoever comes back from it. */
  focusChat(chat) {
    this.#rows.get(chat)?.querySelector(ITEM)?.focus();
  }

  render() {
    const chats = store.sorted();
    const wanted = chats.map((chat) => this.#row(chat));
    for (const [name, row] of this.#rows) {
      if (store.chats.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    // Rows are moved only where the order is another one, so that the focus stays where it is.
    const focused = document.activeElement;
    let at = this.list.firstElementChild;
    for (const row of wanted) {
      if (row === at) at = at.nextElementSibling;
      else this.list.insertBefore(row, at);
    }
    if (focused instanceof HTMLElement && this.list.contains(focused) && document.activeElement !== focused)
      focused.focus();
    keepStop(this.list, ITEM);
    this.empty.hidden = chats.length > 0 || !store.chatsLoaded;
    if (!this.empty.hidden) {
      fill(
        this.empty,
        el("p", {}, t("page.no_chats")),
        button({ label: t("page.new_chat"), icon: "plus", text: true, class: "primary", onclick: () => go("#/new") }),
      );
    }
  }

  #row(chat) {
    const signature = [chat, this.#current === chat.chat, store.isTyping(chat.chat)];
    let row = this.#rows.get(chat.chat);
    if (row && row.signature.every((part, at) => part === signature[at])) return row;
    if (!row) {
      row = el(
        "li",
        {},
        el("a", { class: "chat", href: chatAddress(chat.chat), tabindex: -1, dataset: { chat: chat.chat } }),
      );
      this.#rows.set(chat.chat, row);
    }
    row.signature = signature;
    const link = row.firstElementChild;
    if (signature[1]) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    fill(link, ...lines(chat, signature[2]));
    return row;
  }

  #renderRow(name) {
    const chat = store.chat(name);
    if (chat && this.list) this.#row(chat);
  }
}

function lines(chat, typing) {
  const { last } = chat;
  const unread = chat.unread > 0;
  return [
    avatar(chat),
    el(
      "span",
      { class: "chat-top" },
      bdi(cut(chat.name, 80), { class: "chat-name clip" }),
      chat.security && glyph(chat.security),
      chat.at
        ? el("time", { class: "chat-time", dir: "auto", dateTime: new Date(chat.at).toISOString() }, briefly(chat.at))
        : null,
    ),
    el(
      "span",
      { class: "chat-bottom" },
      typing
        ? el("span", { class: "chat-preview typing clip" }, t("page.typing_short"))
        : el(
            "span",
            { class: "chat-preview clip" },
            last?.mine && last.kind !== "notice" && statusIcon(last),
            chat.kind === "group" && last && !last.mine && last.sender_name && last.kind !== "notice"
              ? [bdi(last.sender_name.slice(0, 40)), ": "]
              : null,
            last ? bdi(previewOf(last)) : null,
          ),
      unread &&
        el(
          "span",
          { class: "badge" },
          spoken(t("page.unread", { count: chat.unread })),
          el("span", { "aria-hidden": "true" }, chat.unread > 999 ? "999+" : String(chat.unread)),
        ),
    ),
  ];
}

function statusIcon(message) {
  const { shape, label, tone } = statusOf(message);
  return [el("span", { class: `glyph tone-${tone}` }, icon(shape)), spoken(`${label}. `)];
}

customElements.define("ll-chat-list", ChatList);
