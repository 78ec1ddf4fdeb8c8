// Where one writes. The button says what it does: "Send" with a lock, "Send unencrypted", or that it waits for keys;
// where the user has to decide first, the decision stands in its place. Escape takes a reply or an edit back, and never
// sends.

import { rpc } from "../daemon/api.js";
import { withDecision } from "./actions.js";
import { View, bdi, button, el, fill, icon } from "../base/dom.js";
import { place, present } from "../base/elements.js";
import { showClosed } from "./closed.js";
import { pickEmoji } from "./emoji.js";
import { previewOf } from "./preview.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";
import { textOf, toast } from "../base/toast.js";
import { Typing } from "./typing.js";

/** What was begun in each chat and not sent. */
const drafts = new Map();

/** A closed composer in which something can still be written: sending asks how (SR-01). */
const ASKS = new Set(["no-keys-found", "business", "encryption-ended"]);

const MODES = {
  encrypted: { action: "page.send", hint: "page.write", shape: "lock" },
  plain: { action: "page.send_plain", hint: "page.write_plain", shape: "lock-open" },
  waiting: { action: "page.send_waiting", hint: "page.write_waiting", shape: "ring" },
  asks: { action: "page.send_asks", hint: "page.write_asks", shape: "lock-open" },
};

/** `chat`. */
export class Composer extends View {
  #reply = null;
  #editing = null;
  #recording = false;

  connected() {
    this.typing = new Typing(this.chat);
    this.context = el("div", { class: "context", hidden: true });
    this.trouble = el("p", { class: "composer-trouble", role: "alert", hidden: true });
    this.decision = el("div", { class: "decision", hidden: true });
    this.text = el("textarea", {
      rows: 1,
      dir: "auto",
      autocomplete: "off",
      enterKeyHint: "send",
      oninput: () => this.#typed(),
      onkeydown: (event) => this.#pressed(event),
    });
    this.attach = button({
      label: t("page.attach"),
      icon: "attach",
      class: "bare",
      "aria-haspopup": "menu",
      onclick: () => this.#attach(),
    });
    this.emoji = button({
      label: t("page.emoji"),
      icon: "emoji",
      class: "bare",
      "aria-haspopup": "dialog",
      onclick: () => this.#emoji(),
    });
    this.voice = button({ label: t("page.voice_record"), icon: "mic", class: "bare", onclick: () => this.#record() });
    this.submit = el("button", { type: "submit", class: "send primary" });
    this.note = el("p", { class: "composer-note", hidden: true });
    this.row = el(
      "form",
      { class: "write", onsubmit: (event) => (event.preventDefault(), this.#submit()) },
      this.attach,
      el("div", { class: "field-box" }, this.text, this.emoji),
      this.voice,
      this.submit,
    );
    fill(this, this.context, this.trouble, this.decision, this.row, this.note);
    this.text.value = drafts.get(this.chat) ?? "";
    this.listen(store, "chat", ({ detail }) => detail.chat === this.chat && this.render());
    this.listen(store, "connection", () => this.render());
    const conversation = this.closest("ll-conversation");
    import("../files/attachments.js").then(({ watchDrops }) =>
      watchDrops(conversation, () => this.#target, { signal: this.life }),
    );
    // Whether the banner is there decides what is offered here.
    const watch = new MutationObserver(
      (changes) => changes.some(({ target }) => target === this.banner) && this.render(),
    );
    watch.observe(conversation, { subtree: true, attributeFilter: ["hidden"] });
    this.life.addEventListener("abort", () => watch.disconnect());
    this.render();
  }

  disconnected() {
    this.typing.stop();
  }

  // --- what others ask of it -----------------------------------------------------------------------------------------
  /** Answer a message. */
  replyTo(message) {
    if (this.#editing) this.#endEdit();
    this.#reply = message;
    this.render();
    this.focusText();
  }

  /** Give a message of ours another text. */
  edit(message) {
    this.#reply = null;
    this.#editing = message;
    this.text.value = message.text;
    this.render();
    this.focusText();
  }

  focusText() {
    if (!this.row.hidden) this.text.focus();
    else (this.decision.querySelector("button") ?? this).focus();
  }

  /** Something was not sent: what was written is not lost, and what can be decided is asked. */
  async refused(error, message) {
    if (error.notEncrypted && error.data.options?.length) return this.#ask(error, message);
    if (error.needsTrust) {
      await store.refreshChat(this.chat);
      this.#giveBack(message);
      return;
    }
    if (!error.unreachable) {
      this.#giveBack(message);
      this.#complain(textOf(error));
    }
  }

  // --- what it shows -------------------------------------------------------------------------------------------------
  render() {
    const chat = store.chat(this.chat);
    const security = chat?.security;
    const state = security?.composer ?? "waiting";
    const asks = state === "closed" && ASKS.has(security.state) && chat.joined && chat.kind !== "group";
    const mode = asks ? "asks" : MODES[state] ? state : "";
    // Focus in a row that is about to go must not fall to the page.
    const held = this.contains(document.activeElement);
    this.row.hidden = mode === "" || this.#recording;
    this.decision.hidden = mode !== "";
    if (!mode) showClosed(this.decision, chat, this.banner?.hidden ?? true);
    this.note.hidden = mode !== "waiting";
    if (mode) this.#renderRow(mode, chat);
    this.#renderContext();
    if (held && !this.contains(document.activeElement)) this.focusText();
  }

  #renderRow(mode, chat) {
    const { action, hint, shape } = MODES[mode];
    const empty = !this.text.value.trim();
    const label = this.#editing ? t("page.save") : t(action);
    this.dataset.mode = mode;
    this.text.placeholder = t(hint, { name: chat?.name.slice(0, 40) ?? this.chat });
    this.text.setAttribute("aria-label", t(hint, { name: chat?.name.slice(0, 80) ?? this.chat }));
    const signature = `${label}/${mode}`;
    if (this.submit.dataset.shows !== signature) {
      this.submit.dataset.shows = signature;
      fill(this.submit, icon(this.#editing ? "check" : shape), el("span", {}, label));
    }
    // It stays focusable, so that the keyboard does not lose its place when the text becomes empty.
    this.submit.setAttribute("aria-disabled", String(empty));
    this.voice.hidden = !empty || Boolean(this.#editing);
    this.attach.hidden = Boolean(this.#editing);
    if (mode === "waiting")
      fill(this.note, icon("ring"), bdi(chat?.security?.sentence ?? t("page.opening")), " ", t("page.queued_note"));
    grow(this.text);
  }

  #renderContext() {
    const message = this.#editing ?? this.#reply;
    this.context.hidden = !message;
    if (!message) return;
    const name = message.mine ? t("page.you") : message.sender_name || message.sender;
    fill(
      this.context,
      icon(this.#editing ? "edit" : "reply"),
      el(
        "div",
        { class: "context-what" },
        el(
          "span",
          { class: "context-title" },
          this.#editing ? t("page.editing") : t("page.replying", { name: name.slice(0, 60) }),
        ),
        bdi(previewOf(message, 120), { class: "clip" }),
      ),
      button({
        label: this.#editing ? t("page.edit_cancel") : t("page.reply_cancel"),
        icon: "close",
        class: "bare",
        onclick: () => this.#dropContext(),
      }),
    );
  }

  get banner() {
    return this.closest("ll-conversation")?.querySelector("ll-banner");
  }

  // --- writing -------------------------------------------------------------------------------------------------------
  #typed() {
    this.#complain("");
    if (!this.#editing) drafts.set(this.chat, this.text.value);
    const empty = !this.text.value.trim();
    this.submit.setAttribute("aria-disabled", String(empty));
    this.voice.hidden = !empty || Boolean(this.#editing);
    grow(this.text);
    if (empty || this.#editing) this.typing.stop();
    else this.typing.now();
  }

  #pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && (this.#editing || this.#reply)) {
      event.preventDefault();
      this.#dropContext();
    } else if (event.key === "ArrowUp" && !this.text.value) {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("to-messages", { bubbles: true }));
    }
  }

  async #submit() {
    const text = this.text.value.trim();
    if (!text) return this.text.focus();
    const editing = this.#editing;
    const reply = this.#reply;
    this.typing.stop();
    this.#complain("");
    if (editing) return this.#saveEdit(editing, text);
    this.text.value = "";
    drafts.delete(this.chat);
    this.#reply = null;
    this.render();
    this.text.focus();
    try {
      await store.send(this.chat, { text, reply });
    } catch (error) {
      this.refused(error, { text, reply, unsaved: true });
    }
  }

  async #saveEdit(message, text) {
    if (text === message.text) return this.#endEdit();
    try {
      const { done } = await withDecision(this.chat, (allowed) =>
        rpc("edit", { chat: this.chat, message_id: message.message_id, text, ...allowed }),
      );
      if (!done) return;
      store.touch(this.chat, message.message_id);
      this.#endEdit();
    } catch (error) {
      this.#complain(textOf(error));
    }
  }

  /** SR-01: asked once; with the option that was chosen it is sent, or waits; undecided, it is given back. */
  async #ask(error, message) {
    const chosen = await present("ll-fallback", { chat: this.chat, error, waiting: 0 });
    if (!chosen) return this.#giveBack(message);
    const { allow = "" } = chosen;
    try {
      // What failed stands in the history and is tried again there; sent anew it would be there twice.
      if (message.unsaved) await store.send(this.chat, { text: message.text, reply: message.reply ?? null, allow });
      else await store.resend(this.chat, message, allow);
      await store.refreshChat(this.chat);
    } catch (again) {
      // What nobody answered to stays in the conversation, as not sent.
      if (again.unreachable) return;
      this.#giveBack(message);
      this.#complain(textOf(again));
    }
  }

  /** What was refused stands before what was begun since: neither is lost, whichever chat is open by now. */
  #giveBack(message) {
    if (!message?.unsaved) return;
    const since = this.#editing || !this.isConnected ? (drafts.get(this.chat) ?? "") : this.text.value;
    const text = [message.text, since].filter((part) => part.trim()).join("\n");
    drafts.set(this.chat, text);
    const shown = /** @type {any} */ (this.isConnected ? this : document.querySelector("ll-composer"));
    if (shown?.chat === this.chat) shown.takeBack(text, message.reply);
  }

  /** @param {string} text @param {any} reply */
  takeBack(text, reply) {
    if (!this.#editing) {
      this.text.value = text;
      this.#reply = reply ?? this.#reply;
    }
    this.render();
    this.focusText();
  }

  #dropContext() {
    if (this.#editing) this.#endEdit();
    this.#reply = null;
    this.render();
    this.focusText();
  }

  #endEdit() {
    this.#editing = null;
    this.text.value = drafts.get(this.chat) ?? "";
    this.render();
    this.focusText();
  }

  #complain(text) {
    this.trouble.hidden = !text;
    this.trouble.textContent = text;
  }

  // --- more than text ------------------------------------------------------------------------------------------------
  get #target() {
    const sent = () => {
      this.#reply = null;
      this.render();
    };
    return { chat: this.chat, reply: this.#reply, sent };
  }

  async #attach() {
    const { attachMenu } = await import("../files/attachments.js");
    await attachMenu(this.attach, this.#target);
  }

  async #emoji() {
    const emoji = await pickEmoji(this.emoji, t("page.emoji"));
    if (!emoji) return;
    const { selectionStart: from, selectionEnd: to } = this.text;
    this.text.setRangeText(emoji, from, to, "end");
    this.#typed();
    this.text.focus();
  }

  #record() {
    const recorder = place("ll-voice", { chat: this.chat });
    const done = ({ detail }) => {
      this.querySelector("ll-voice")?.remove();
      recorder.remove();
      this.#recording = false;
      if (detail?.sent) this.#reply = null;
      this.render();
      this.voice.focus();
    };
    this.addEventListener("done", done, { once: true, signal: this.life });
    this.#recording = true;
    this.row.before(recorder);
    this.render();
  }
}

/** As high as its text, up to a limit that the style sheet sets. */
function grow(area) {
  if (CSS.supports("field-sizing", "content")) return;
  area.style.setProperty("block-size", "auto");
  area.style.setProperty("block-size", `${area.scrollHeight + 2}px`);
}

customElements.define("ll-composer", Composer);
