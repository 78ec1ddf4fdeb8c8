// Where one writes. The button says what it does: "Send" with a lock, "Send unencrypted", or that it waits for keys;
// where the user has to decide first, the decision stands in its place. Escape takes a reply or an edit back, and never
// sends.

import { rpc } from "../daemon/api.js";
import { showClosed } from "./closed.js";
import { showContext } from "./context.js";
import { View, bdi, button, el, fill, icon } from "../base/dom.js";
import { draftOf, keepDraft } from "./drafts.js";
import { eventually, place } from "../base/elements.js";
import { pickEmoji } from "./emoji.js";
import { MODES, modeOf } from "./modes.js";
import { afterRefusal } from "./refused.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";
import { textOf } from "../base/toast.js";
import { withDecision } from "../trust/deciding.js";
import { Typing } from "./typing.js";

/** `chat`. */
export class Composer extends View {
  #reply = null;
  #editing = null;
  #saving = false;
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
    const tool = (label, shape, act, opens = null) =>
      button({ label: t(label), icon: shape, class: "bare", "aria-haspopup": opens, onclick: act });
    this.attach = tool("page.attach", "attach", () => this.#attach(), "menu");
    this.emoji = tool("page.emoji", "emoji", () => this.#emoji(), "dialog");
    this.voice = tool("page.voice_record", "mic", () => this.#record());
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
    this.text.value = draftOf(this.chat);
    this.listen(store, "chat", ({ detail }) => detail.chat === this.chat && this.render());
    this.listen(store, "connection", () => this.render());
    const conversation = this.closest("ll-conversation");
    eventually(
      () => import("../files/attachments.js"),
      () => this.isConnected,
    ).then((files) => files?.watchDrops(conversation, () => this.#target, { signal: this.life }));
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
    const { back, trouble } = await afterRefusal(this.chat, error, message);
    if (back && message?.unsaved) this.giveBack(message);
    if (trouble) this.#complain(trouble);
  }

  // --- what it shows -------------------------------------------------------------------------------------------------
  render() {
    const chat = store.chat(this.chat);
    const mode = modeOf(chat);
    // Focus in a row that is about to go must not fall to the page.
    const held = this.contains(document.activeElement);
    this.row.hidden = mode === "" || this.#recording;
    this.decision.hidden = mode !== "";
    if (!mode) showClosed(this.decision, chat, this.banner?.hidden ?? true);
    this.note.hidden = mode !== "waiting";
    if (mode) this.#renderRow(mode, chat);
    showContext(this.context, this.#editing ?? this.#reply, {
      editing: Boolean(this.#editing),
      drop: () => this.#dropContext(),
    });
    if (held && !this.contains(document.activeElement)) this.focusText();
  }

  #renderRow(mode, chat) {
    const { action, hint, shape } = MODES[mode];
    const label = this.#editing ? t("page.save") : t(action);
    this.dataset.mode = mode;
    this.text.placeholder = t(hint, { name: chat?.name.slice(0, 40) ?? this.chat });
    this.text.setAttribute("aria-label", t(hint, { name: chat?.name.slice(0, 80) ?? this.chat }));
    const signature = `${label}/${mode}`;
    if (this.submit.dataset.shows !== signature) {
      this.submit.dataset.shows = signature;
      fill(this.submit, icon(this.#editing ? "check" : shape), el("span", {}, label));
    }
    this.#fit();
    this.attach.hidden = Boolean(this.#editing);
    if (mode === "waiting")
      fill(this.note, icon("ring"), bdi(chat?.security?.sentence ?? t("page.opening")), " ", t("page.queued_note"));
  }

  /** What depends on whether there is text, and how much. */
  #fit() {
    const empty = !this.text.value.trim();
    // It stays focusable, so that the keyboard does not lose its place when the text becomes empty.
    this.submit.setAttribute("aria-disabled", String(empty));
    this.voice.hidden = !empty || Boolean(this.#editing);
    grow(this.text);
    return empty;
  }

  get banner() {
    return this.closest("ll-conversation")?.querySelector("ll-banner");
  }

  // --- writing -------------------------------------------------------------------------------------------------------
  #typed() {
    this.#complain("");
    if (!this.#editing) keepDraft(this.chat, this.text.value);
    if (this.#fit() || this.#editing) this.typing.stop();
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
    keepDraft(this.chat, "");
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
    if (this.#saving) return;
    this.#saving = true;
    try {
      const message_id = await store.idOf(message);
      // Taken back while the message itself was still on its way.
      if (this.#editing !== message) return;
      if (!message_id) return this.#complain(t("page.not_sent"));
      const { done } = await withDecision(this.chat, (allowed) =>
        rpc("edit", { chat: this.chat, message_id, text, ...allowed }),
      );
      if (!done) return;
      store.touch(this.chat, message_id);
      // What was begun or written since is not of this edit.
      if (this.#editing === message && this.text.value.trim() === text) this.#endEdit();
    } catch (error) {
      this.#complain(textOf(error));
    } finally {
      this.#saving = false;
    }
  }

  /**
   * What was refused or taken back stands before what was begun since: neither is lost, whichever chat is open by now.
   * @param {{text: string, reply?: any}} message
   */
  giveBack(message) {
    const since = this.#editing || !this.isConnected ? draftOf(this.chat) : this.text.value;
    const text = [message.text, since].filter((part) => part.trim()).join("\n");
    keepDraft(this.chat, text);
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
    this.text.value = draftOf(this.chat);
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
    const recorder = place("ll-voice", { chat: this.chat, reply: this.#reply });
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
