// A conversation's messages: the window of the store as elements, paged at both ends while one scrolls or moves through
// it. Nothing here is proportional to the history: the window is bounded, and only what changed is rendered.

import { View, button, el, fill, icon } from "../base/dom.js";
import { keepStop, makeStop } from "../base/roving.js";
import { Scrolling } from "./scrolling.js";
import { store } from "../daemon/store.js";
import { repeats, surroundings } from "./surroundings.js";
import { t } from "../base/strings.js";
import { textOf, toast } from "../base/toast.js";
import "./message.js";

/** Pages are fetched before the end is reached: so many CSS pixels. */
const AHEAD = 800;
const ITEM = "ll-message";

/** `chat`, and `message` to begin at. Passes on `reply` and `edit` of its messages. */
export class Timeline extends View {
  message = "";
  #nodes = new Map();
  #unreadFrom = "";
  #missed = 0;
  #seen = "";

  connected() {
    this.window = store.window(this.chat);
    this.feed = el("div", { class: "feed" });
    this.scroller = el("div", { class: "scroller" }, this.feed);
    this.trouble = el("div", { class: "timeline-trouble", role: "alert", hidden: true });
    this.down = el("button", { type: "button", class: "down fades", hidden: true, onclick: () => this.toEnd() });
    fill(this, this.scroller, this.trouble, this.down);
    this.scrolling = new Scrolling(this.scroller, this.feed, this.life, () => this.#moved());

    this.listen(this.window, "change", ({ detail }) => this.#changed(detail.reason));
    this.listen(store, "arrived", ({ detail }) => this.#arrived(detail));
    this.listen(this.feed, "keydown", (event) => this.#pressed(event));
    this.listen(this.feed, "focusin", (event) => {
      const item = event.target.closest(ITEM);
      if (item) makeStop(this.feed, ITEM, item);
    });
    this.listen(this, "jump", ({ detail }) => this.jumpTo(detail));
    this.listen(this, "again", ({ detail }) => this.#again(detail));
    this.listen(document, "visibilitychange", () => this.#see());
    this.#open();
  }

  async #open() {
    const unread = store.chat(this.chat)?.unread ?? 0;
    if (this.message) return this.jumpTo(this.message);
    if (this.window.loaded && !this.window.after && !unread) this.#changed("reset");
    else await this.window.load(unread && unread + 10);
  }

  /** Show a message, wherever in the history it is, and put the focus on it. @param {string} message_id */
  async jumpTo(message_id) {
    this.message = message_id;
    if (!this.window.find(message_id)) await this.window.loadAround(message_id);
    else if (this.#nodes.size === 0) this.#changed("reset");
    this.message = "";
    const found = this.window.find(message_id);
    const node = found && this.#nodes.get(found.key);
    if (!node) return toast(t("page.not_here"));
    this.scrolling.to(node);
    node.focus({ preventScroll: true });
    node.classList.add("found");
    setTimeout(() => node.classList.remove("found"), 2000);
  }

  /** The newest message. */
  async toEnd() {
    if (this.window.after) await this.window.load();
    this.scrolling.toEnd();
    this.#moved();
  }

  /** The focus to the last message. */
  focusLast() {
    const items = this.feed.querySelectorAll(ITEM);
    items[items.length - 1]?.focus();
  }

  #changed(reason) {
    if (this.window.loading) this.feed.setAttribute("aria-busy", "true");
    else this.feed.removeAttribute("aria-busy");
    this.#showTrouble();
    if (reason === "state") return;
    if (reason === "reset") this.#markUnread();
    if (reason !== "reset") this.scrolling.hold();
    // The end of a page that goes on below is not the end: who came there stays there, rather than running on to the
    // newest.
    if (reason === "newer") this.scrolling.stuck = false;
    this.render();
    if (reason === "reset" && !this.message) this.#begin();
    // What I send myself I want to see, wherever I was.
    else if (reason === "sent") this.toEnd();
    else this.scrolling.restore();
    this.#moved();
  }

  /** Where a conversation is opened: at the first message that was not read, or at the end. */
  #begin() {
    const first = this.#unreadFrom && this.#nodes.get(this.#unreadFrom);
    this.scrolling.toEnd();
    if (first && first.offsetTop < this.scroller.scrollTop) this.scrolling.to(first, "start");
  }

  #markUnread() {
    const first = this.window.messages.find((message) => isUnread(message));
    if (first) this.#unreadFrom = first.key;
  }

  render() {
    const { before } = this.window;
    const items = this.window.items.filter((message) => !repeats(message));
    const group = store.chat(this.chat)?.kind === "group";
    const latest = items.findLast((message) => message.mine && message.kind !== "notice")?.key;
    const focused = document.activeElement?.closest?.(ITEM);
    const wanted = new Set();
    let at = this.feed.firstElementChild;
    items.forEach((message, index) => {
      let node = this.#nodes.get(message.key);
      if (!node) this.#nodes.set(message.key, (node = el(ITEM)));
      node.show(message, surroundings(items, index, { before, unreadFrom: this.#unreadFrom, group, latest }));
      wanted.add(message.key);
      if (node === at) at = at.nextElementSibling;
      else this.feed.insertBefore(node, at);
    });
    for (const [key, node] of this.#nodes) {
      if (wanted.has(key)) continue;
      node.remove();
      this.#nodes.delete(key);
    }
    // The Tab key comes to the newest first; a message that was paged away hands the focus to its neighbour.
    const lastNode = this.feed.lastElementChild;
    keepStop(this.feed, ITEM, lastNode);
    if (focused && !focused.isConnected)
      (focused.dataset.edge === "start" ? this.feed.firstElementChild : lastNode)?.focus();
    // A feed without articles is none.
    if (items.length) {
      this.feed.setAttribute("role", "feed");
      this.feed.setAttribute("aria-label", t("page.messages"));
    } else {
      this.feed.removeAttribute("role");
      this.feed.removeAttribute("aria-label");
    }
  }

  #moved() {
    if (!this.window.loaded) return;
    this.window.following = this.scrolling.stuck && !this.window.after;
    if (this.scrolling.above < AHEAD) this.window.older();
    if (this.scrolling.below < AHEAD) this.window.newer();
    if (this.scrolling.stuck && !this.window.after) this.#missed = 0;
    this.#showDown();
    this.#see();
  }

  #showDown() {
    const away = this.window.after || this.scrolling.below > 400 || this.#missed > 0;
    if (this.down.hidden === !away && this.down.dataset.count === String(this.#missed)) return;
    const held = document.activeElement === this.down;
    this.down.hidden = !away;
    this.down.dataset.count = String(this.#missed);
    if (!away) {
      if (held) this.focusLast();
      return;
    }
    const label = this.#missed ? t("page.new_messages", { count: this.#missed }) : t("page.to_end");
    fill(this.down, icon("arrow-down"), this.#missed > 0 && el("span", {}, label));
    if (this.#missed) this.down.removeAttribute("aria-label");
    else this.down.setAttribute("aria-label", label);
  }

  #arrived({ chat }) {
    if (chat !== this.chat || (this.scrolling.stuck && !this.window.after)) return;
    this.#missed += 1;
    this.#showDown();
  }

  /** The sender of the newest message that stands on the screen is told that it was seen, and so are those before. */
  #see() {
    if (document.visibilityState !== "visible" || !this.window.loaded) return;
    const bottom = this.scroller.getBoundingClientRect().bottom;
    const found = this.window.messages.findLast((message) => {
      if (!isUnread(message)) return false;
      const box = this.#nodes.get(message.key)?.getBoundingClientRect();
      return box && box.height > 0 && box.top + Math.min(box.height, 40) <= bottom;
    });
    if (!found || found.order <= this.#seen) return;
    this.#seen = found.order;
    store.displayed(this.chat, found).catch(() => {
      this.#seen = "";
    });
  }

  #pressed(event) {
    if (!event.target.matches(ITEM) || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
    let target;
    if (step) target = event.target[step];
    else if (event.key === "Home") target = this.feed.firstElementChild;
    else if (event.key === "End") return (event.preventDefault(), this.toEnd().then(() => this.focusLast()));
    else if (event.key === "PageUp" || event.key === "PageDown")
      target = this.#page(event.target, event.key === "PageUp");
    else return;
    event.preventDefault();
    if (!target && event.key === "ArrowDown") this.dispatchEvent(new CustomEvent("past-end", { bubbles: true }));
    if (!target) return;
    target.dataset.edge = event.key === "ArrowUp" || event.key === "Home" || event.key === "PageUp" ? "start" : "end";
    target.focus({ preventScroll: true });
    this.scrolling.to(target, "nearest");
  }

  /** About one screen away. */
  #page(from, up) {
    const far = this.scroller.clientHeight * 0.85;
    const start = from.offsetTop;
    let node = from;
    for (;;) {
      const next = up ? node.previousElementSibling : node.nextElementSibling;
      if (!next) return node;
      node = next;
      if (Math.abs(node.offsetTop - start) >= far) return node;
    }
  }

  async #again(message) {
    try {
      await store.resend(this.chat, message);
    } catch (error) {
      const again = message.unsent ? { ...message.unsent, unsaved: true } : message;
      this.dispatchEvent(new CustomEvent("refused", { bubbles: true, detail: { error, message: again } }));
    }
  }

  #showTrouble() {
    const { error } = this.window;
    this.trouble.hidden = !error;
    if (!error) return;
    const retry = () => (this.window.loaded ? this.#moved() : this.window.load());
    fill(
      this.trouble,
      el("p", {}, error.unreachable ? t("page.not_loaded") : textOf(error)),
      button({ label: t("page.try_again"), class: "link", onclick: retry }),
    );
  }
}

const isUnread = (message) =>
  !message.mine && message.status === "received" && message.kind !== "notice" && message.kind !== "missing";

customElements.define("ll-timeline", Timeline);
