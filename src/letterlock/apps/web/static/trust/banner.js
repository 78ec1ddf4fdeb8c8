/**
 * What has to be known about a chat before one writes on: a line between its header and its messages.
 *
 * Rules: only a broken verification is red and read out at once. New keys of somebody who was never compared are a note
 * that stays, as does the state it tells of, until it was on the screen for some seconds and the chat is left; "not
 * verified" alone says nothing here. Receiving goes on whatever this shows. "Send anyway" is a decision; "Later", and
 * leaving a chat whose verification is broken, are none.
 */

import { aboutChat, called, chatName, chatOf } from "../daemon/about.js";
import { rpc } from "../daemon/api.js";
import { ask, confirm, ended, reasonOf } from "../base/dialog.js";
import { View, button, el, fill, icon } from "../base/dom.js";
import { present } from "../base/elements.js";
import { invite } from "./invite.js";
import { look } from "./security.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

const SEEN_MS = 5_000;
const LONG_MS = 15_000;
/** Events of this device that no chat tells of. */
const ALARMS = new Set(["number-reset", "own-list-mismatch", "store-rolled-back"]);
/**
 * @type {Set<string>} those that were not put away yet; the daemon knows them, because they happen while no page is
 * open
 */
const alarms = new Set();
const alarmed = new EventTarget();
let alarmsAt = 0;

async function askAlarms() {
  try {
    const { alarms: told, cursor } = await rpc("alarms");
    for (const alarm of told) alarms.add(alarm);
    alarmsAt = cursor;
  } catch {
    return; // asked again when the daemon answers
  }
  alarmed.dispatchEvent(new Event("change"));
}

store.addEventListener("connection", () => store.connection === "live" && askAlarms());
store.addEventListener("event", ({ detail }) => ALARMS.has(detail.kind) && askAlarms());
askAlarms();

/** Placed with `chat`. Hidden when there is nothing to say. */
export class Banner extends View {
  #chat = /** @type {any} */ (null);
  #shown = "";
  #words = "";
  #later = "";
  #seen = 0;
  #wait = 0;

  get chat() {
    return this.#chat;
  }

  set chat(chat) {
    if (this.#chat && chat && chatName(chat) === chatName(this.#chat)) {
      this.#chat = chat;
    } else {
      this.#left();
      this.#chat = chat;
      this.#later = this.#shown = "";
    }
    if (this.isConnected) this.render();
  }

  connected() {
    this.setAttribute("role", "status");
    this.listen(store, "chat", ({ detail }) => this.#chat && detail.chat === chatName(this.#chat) && this.render());
    this.listen(alarmed, "change", () => this.render());
    this.listen(document, "visibilitychange", () => this.#look());
    this.render();
  }

  disconnected() {
    this.#left();
    clearTimeout(this.#seen);
    clearTimeout(this.#wait);
  }

  render() {
    if (!this.#chat) return this.#say(null);
    const { security, kind, joined } = chatOf(this.#chat);
    const state = security?.state ?? "";
    clearTimeout(this.#wait);
    const [alarm] = alarms;
    if (alarm)
      return this.#say({
        key: alarm,
        kind: "bad",
        shape: "warning",
        label: t(`dialog.alarm.${alarm}`),
        text: t(`dialog.alarm.${alarm}-text`),
        acts: [[t("dialog.banner.seen"), () => this.#putAway(alarm)]],
      });
    if (kind === "group" && joined === false)
      return this.#say({
        key: "left",
        kind: "calm",
        shape: "info",
        label: t("dialog.banner.left"),
        text: t("dialog.banner.left-text"),
        acts: [],
      });
    // The state of a group is that of one of its members: who, and what can be done, is on its own screen.
    const about = kind === "group" && OF_MEMBERS.has(state) ? "group" : state;
    if (this.#later === state) return this.#say(null);
    return this.#say(this.#of(about, state, security));
  }

  #of(about, state, security) {
    const label = aboutChat(security.label ?? "", this.#chat);
    const text = aboutChat(security.sentence ?? "", this.#chat);
    const common = { key: state, label, text, shape: look(state).shape };
    const compare = [t("dialog.banner.compare"), () => present("ll-code", { chat: this.#chat })];
    const unencrypted = [t("dialog.banner.choose"), () => this.#choose()];
    const members = [t("dialog.banner.members"), () => present("ll-group", { chat: this.#chat })];
    const { waiting } = chatOf(this.#chat);
    const group = chatOf(this.#chat).kind === "group";
    switch (about) {
      case "keys-new":
        return { ...common, kind: "info", acts: [compare, [t("dialog.banner.seen"), () => this.#accept(true)]] };
      case "no-longer-verified":
        return {
          ...common,
          kind: "bad",
          acts: [
            compare,
            [t("dialog.banner.anyway"), () => this.#accept(false)],
            [t("dialog.banner.later"), () => this.#postpone(state)],
          ],
        };
      case "group":
        return {
          ...common,
          kind: state === "no-longer-verified" ? "bad" : "info",
          acts: [members],
        };
      case "encryption-ended":
        return {
          ...common,
          kind: "warn",
          // What is written is asked about when it is sent; here it is what waits already.
          acts: [
            [t("dialog.banner.revive"), () => this.#encryption("revive")],
            ...(waiting && !group ? [unencrypted] : []),
          ],
        };
      case "stalled":
        return {
          ...common,
          kind: "warn",
          acts: [
            [t("dialog.banner.retry"), () => this.#encryption("retry")],
            [t("dialog.banner.end"), () => this.#end()],
          ],
        };
      case "no-keys-found":
        return {
          ...common,
          kind: "calm",
          acts: group ? [members] : [[t("dialog.banner.invite"), () => ask(invite(this.#chat))], unencrypted],
        };
      case "checking":
        return this.#checking(common, unencrypted);
      default:
        return null;
    }
  }

  /** Keys are looked up within a moment, mostly: only where that takes long there is something to say. */
  #checking(common, unencrypted) {
    const { security, waiting, kind } = chatOf(this.#chat);
    if (!waiting) return null;
    const since = security.since ?? Date.now();
    const left = since + LONG_MS - Date.now();
    if (left > 0) {
      this.#wait = setTimeout(() => this.render(), left + 50);
      return null;
    }
    return {
      ...common,
      kind: "calm",
      text: t("dialog.banner.checking", { name: called(this.#chat), count: waiting }),
      acts: kind === "group" ? [] : [unencrypted],
    };
  }

  #say(what) {
    const key = what?.key ?? "";
    const words = what ? `${what.label}/${what.text}` : "";
    if (key === this.#shown && words === this.#words && key !== "") return;
    clearTimeout(this.#seen);
    this.#shown = key;
    this.#words = words;
    this.hidden = what === null;
    this.className = what ? `banner ${what.kind}` : "banner";
    if (!what) return void fill(this);
    this.setAttribute("role", what.kind === "bad" ? "alert" : "status");
    this.trouble = el("p", { class: "banner-trouble", role: "alert", hidden: true });
    fill(
      this,
      icon(what.shape),
      el(
        "div",
        { class: "banner-words" },
        el("p", {}, el("strong", {}, ended(what.label)), " ", what.text),
        this.trouble,
      ),
      what.acts.length > 0 &&
        el(
          "div",
          { class: "banner-acts" },
          what.acts.map(([label, act]) => button({ label, class: "choice", onclick: () => this.#do(act) })),
        ),
    );
    this.#look();
  }

  async #do(act) {
    this.trouble.hidden = true;
    try {
      await act();
    } catch (error) {
      this.trouble.textContent = reasonOf(error, this.#chat);
      this.trouble.hidden = false;
    }
  }

  /** A note counts as seen after some seconds on a screen that somebody may be looking at. */
  #look() {
    clearTimeout(this.#seen);
    if (this.#shown !== "keys-new" || document.visibilityState !== "visible") return;
    this.#seen = setTimeout(() => this.toggleAttribute("data-read", document.visibilityState === "visible"), SEEN_MS);
  }

  /** It stays, and so does the state that it tells of, until somebody who has seen it leaves the chat. */
  #left() {
    // Nobody waits for the answer: unanswered, the note is there again.
    if ("read" in this.dataset && this.#shown === "keys-new") this.#accept(false).catch(() => {});
    delete this.dataset.read;
  }

  async #accept(hide) {
    clearTimeout(this.#seen);
    const chat = chatName(this.#chat);
    await rpc("accept_keys", { chat });
    if (hide || this.#shown === "no-longer-verified") this.#say(null);
    store.refreshChat(chat);
  }

  #postpone(state) {
    this.#later = state;
    this.render();
  }

  async #choose() {
    const chosen = await present("ll-fallback", { chat: this.#chat, waiting: true });
    if (!chosen) return;
    await rpc("release", { chat: chatName(this.#chat), allow: chosen.allow });
    store.refreshChat(chatName(this.#chat));
  }

  async #encryption(what) {
    await rpc(`encryption.${what}`, { chat: chatName(this.#chat) });
    store.refreshChat(chatName(this.#chat));
  }

  async #end() {
    const sure = await confirm({
      name: t("dialog.end.name"),
      text: t("dialog.end.text"),
      yes: t("dialog.end.yes"),
      danger: true,
    });
    if (sure) await this.#encryption("end");
  }

  async #putAway(alarm) {
    if (alarms.size === 1) await rpc("alarms", { seen: alarmsAt });
    alarms.delete(alarm);
    alarmed.dispatchEvent(new Event("change"));
  }
}

const OF_MEMBERS = new Set(["keys-new", "no-longer-verified"]);

customElements.define("ll-banner", Banner);
