// Search: chats by name at once, messages by their text from the daemon's index. Nothing leaves this computer.

import { rpc } from "../daemon/api.js";
import { avatar } from "./avatar.js";
import { View, bdi, button, el, fill, icon } from "../base/dom.js";
import { cut } from "./preview.js";
import { chatAddress } from "../base/route.js";
import { keepStop, roving } from "../base/roving.js";
import { glyph } from "../trust/security.js";
import { store } from "../daemon/store.js";
import { briefly, t } from "../base/strings.js";
import { textOf } from "../base/toast.js";

const PAUSE = 150;
const MOST_CHATS = 5;
const AROUND = 48;

/** Says `searching` (detail: {active}) when its results take the place of the list, and when they go. */
export class Search extends View {
  #timer = 0;
  #running = null;
  #chat = "";
  #serial = 0;

  connected() {
    this.field = el("input", {
      type: "search",
      class: "search-input",
      "aria-label": t("page.search"),
      placeholder: t("page.search"),
      autocomplete: "off",
      spellcheck: false,
      dir: "auto",
      oninput: () => this.#typed(),
      onkeydown: (event) => this.#pressed(event),
    });
    this.clear = button({
      label: t("page.search_clear"),
      icon: "close",
      class: "bare",
      hidden: true,
      onclick: () => this.end(),
    });
    this.scope = el("div", { class: "search-scope", hidden: true });
    this.count = el("p", { class: "search-count", role: "status" });
    this.results = el("ul", { class: "results", role: "list", "aria-label": t("page.search_results") });
    this.more = button({ label: t("page.search_more"), text: true, hidden: true, onclick: () => this.#more() });
    this.panel = el("div", { class: "search-panel", hidden: true }, this.count, this.results, this.more);
    fill(
      this,
      el("div", { class: "search-box", role: "search" }, icon("search"), this.field, this.clear),
      this.scope,
      this.panel,
    );
    roving(this.results, "a", { signal: this.life, edge: (forward) => !forward && this.field.focus() });
  }

  focusField() {
    this.field.focus();
    this.field.select();
  }

  /** Search for a text, in one chat or, with an empty one, everywhere. */
  search(text, chat = "") {
    this.#chat = chat;
    this.field.value = text;
    this.focusField();
    this.#typed();
  }

  /** Back to the list of chats. */
  end() {
    this.field.value = "";
    this.#chat = "";
    this.#typed();
    this.field.focus();
  }

  #pressed(event) {
    if (event.key === "Escape" && (this.field.value || this.#chat)) {
      event.preventDefault();
      this.end();
    } else if (event.key === "ArrowDown") {
      const first = this.results.querySelector("a");
      if (!first) return;
      event.preventDefault();
      first.focus();
    }
  }

  #typed() {
    const text = this.field.value.trim();
    const active = Boolean(text || this.#chat);
    this.clear.hidden = !active;
    this.panel.hidden = !active;
    this.#showScope();
    this.dispatchEvent(new CustomEvent("searching", { detail: { active } }));
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#serial += 1;
    if (!text) {
      fill(this.results);
      this.count.textContent = this.#chat ? t("page.search_type") : "";
      this.more.hidden = true;
      return;
    }
    this.#timer = setTimeout(() => this.#find(text), PAUSE);
  }

  #showScope() {
    this.scope.hidden = !this.#chat;
    if (!this.#chat) return;
    const name = cut(store.chat(this.#chat)?.name ?? this.#chat, 40);
    const everywhere = () => {
      this.#chat = "";
      this.#typed();
      this.field.focus();
    };
    fill(
      this.scope,
      el("span", { class: "clip" }, t("page.search_in", { name })),
      button({ label: t("page.search_everywhere"), class: "link", onclick: everywhere }),
    );
  }

  async #find(text) {
    const serial = this.#serial;
    const found = await this.#ask(text, "");
    if (!found || serial !== this.#serial) return;
    const chats = this.#chat ? [] : chatsNamed(text);
    fill(
      this.results,
      chats.map((chat) => chatRow(chat)),
      found.hits.map((hit) => hitRow(hit)),
    );
    this.#showEnd(text, found, chats.length + found.hits.length);
  }

  async #more() {
    const { text, before, held } = this.rest;
    const found = await this.#ask(text, before);
    if (!found) return;
    const rows = found.hits.map((hit) => hitRow(hit));
    this.results.append(...rows);
    this.#showEnd(text, found, held + rows.length);
    rows[0]?.querySelector("a").focus();
  }

  async #ask(text, before) {
    this.#running = new AbortController();
    try {
      return await rpc(
        "search",
        { text, ...(this.#chat && { chat: this.#chat }), ...(before && { before }) },
        { signal: this.#running.signal },
      );
    } catch (error) {
      if (error.name === "AbortError") return null;
      this.count.textContent = error.unreachable ? t("page.not_loaded") : textOf(error);
      fill(this.results);
      this.more.hidden = true;
      return null;
    }
  }

  #showEnd(text, { before }, held) {
    this.rest = { text, before, held };
    this.more.hidden = !before;
    this.count.textContent =
      held === 0
        ? t("page.search_none")
        : before
          ? t("page.search_many", { count: held })
          : t("page.search_found", { count: held });
    keepStop(this.results, "a");
  }
}

function chatsNamed(text) {
  const wanted = text.toLocaleLowerCase();
  return store
    .sorted()
    .filter((chat) => chat.name.toLocaleLowerCase().includes(wanted) || chat.chat.includes(wanted))
    .slice(0, MOST_CHATS);
}

function chatRow(chat) {
  return el(
    "li",
    {},
    el(
      "a",
      { class: "result", href: chatAddress(chat.chat), tabindex: -1 },
      avatar(chat, "small"),
      el("span", { class: "result-body" }, bdi(cut(chat.name, 80), { class: "chat-name clip" })),
      chat.security && glyph(chat.security),
    ),
  );
}

function hitRow({ message, text, ranges }) {
  const chat = store.chat(message.chat);
  const who = message.mine ? t("page.you") : message.sender_name || message.sender;
  return el(
    "li",
    {},
    el(
      "a",
      { class: "result", href: chatAddress(message.chat, message.message_id), tabindex: -1 },
      el(
        "span",
        { class: "result-body" },
        el(
          "span",
          { class: "result-top" },
          bdi(cut(chat?.name ?? message.chat, 60), { class: "chat-name clip" }),
          el(
            "time",
            { class: "chat-time", dir: "auto", dateTime: new Date(message.at).toISOString() },
            briefly(message.at),
          ),
        ),
        el(
          "span",
          { class: "result-text" },
          bdi(cut(who, 40)),
          ": ",
          el("bdi", { dir: "auto" }, excerpt(text || message.text || "", ranges)),
        ),
      ),
    ),
  );
}

/** What stands around the first word that was found, with the words marked. The daemon counts in code points. */
function excerpt(text, ranges) {
  const points = Array.from(text);
  const from = Math.max(0, (ranges[0]?.[0] ?? 0) - AROUND / 2);
  const to = Math.min(points.length, (ranges[0]?.[1] ?? 0) + AROUND * 2);
  const parts = [from > 0 ? "…" : ""];
  let at = from;
  for (const [start, end] of ranges) {
    if (start < at || end > to) continue;
    parts.push(plain(points, at, start), el("mark", {}, plain(points, start, end)));
    at = end;
  }
  parts.push(plain(points, at, to), to < points.length ? "…" : "");
  return parts.filter(Boolean);
}

/** Space that matters stays: a word and the mark beside it are not to run together. */
const plain = (points, from, to) =>
  points
    .slice(from, to)
    .join("")
    .replace(/(\p{M}{4})\p{M}+/gu, "$1")
    .replace(/\s+/g, " ");

customElements.define("ll-search", Search);
