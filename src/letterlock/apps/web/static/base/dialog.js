/**
 * What every dialogue has: a name, a harmless way out, and one place where trouble is told.
 *
 * Rules: Escape, the cross and the browser's own "back" all mean the harmless answer, which is `null`: never yes. The
 * first focus is on what does nothing, unless there is something to type. While a request runs the buttons wait, and
 * what it came to is said inside the dialogue. One native <dialog>, so that the rest of the page is inert and focus
 * stays inside. `elements.js` presents it: `show()` opens it, its event `closed` has the answer, and the focus goes
 * back to where it was.
 */

import { aboutChat } from "../daemon/about.js";
import { bdi, button, el, fill } from "./dom.js";
import { has, sentenceOf, t } from "./strings.js";

let count = 0;
/** Milliseconds between the focus on a dialogue and that on its first place. */
const SETTLING = 150;
/** As many without a key: whoever was typing when it opened has seen it. */
const PAUSED = 800;
const FIELD = "input, textarea";

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {unknown} [answer] closes the dialogue with it
 * @property {() => unknown} [act] is done instead; the dialogue stays unless it closes it
 * @property {"primary"|"danger"|"plain"} [kind]
 * @property {boolean} [first] has the focus when the dialogue opens
 */

/** Base of all dialogues. */
export class Dialog extends HTMLElement {
  /** @type {any} which chat it is about, if it is about one */
  chat = null;

  constructor() {
    super();
    const id = `dialog-${++count}`;
    this.heading = el("h2", { id: `${id}-name`, tabindex: -1 });
    this.body = el("div", { class: "dialog-body" });
    this.trouble = el("p", { class: "dialog-trouble", role: "alert", hidden: true });
    this.footer = el("footer", { class: "dialog-actions", hidden: true });
    this.frame = el(
      "dialog",
      { class: "dialog", tabindex: -1, autofocus: true, "aria-labelledby": this.heading.id },
      el(
        "header",
        { class: "dialog-head" },
        this.heading,
        button({ label: t("dialog.close"), icon: "close", class: "bare dialog-cross", onclick: () => this.close() }),
      ),
      this.body,
      this.trouble,
      this.footer,
    );
    this.frame.addEventListener("cancel", (event) => {
      // A file picker inside that is cancelled is no answer to this dialogue.
      if (event.target !== this.frame) return;
      event.preventDefault();
      this.close();
    });
    // The browser itself may close it, after a second Escape.
    this.frame.addEventListener("close", (event) => event.target === this.frame && this.#tell(null));
  }

  /** What it is called; changes with what it shows. */
  set name(text) {
    // A name that somebody gave stands in its own direction, at the start of ours.
    fill(this.heading, bdi(text));
  }

  /** Fill it; called once, when what was set on the element is there. */
  build() {}

  /** What gets the focus first. */
  get start() {
    return this.footer.querySelector("[data-first]") ?? this.heading;
  }

  show() {
    this.build();
    this.append(this.frame);
    this.frame.showModal();
    // The dialogue itself comes first: a reader says its name and what it asks, and only then where the focus is. Orca
    // said neither as long as both happened at once.
    this.frame.focus();
    this.frame.addEventListener("keydown", (event) => this.#pressed(event));
    window.addEventListener("hashchange", this.#left);
    this.#settleAfter(SETTLING);
  }

  /** The browser's own "back" leads to another address below it. */
  #left = () => this.close();

  #settling = 0;

  #settleAfter(milliseconds) {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#settle(), milliseconds);
  }

  /** The focus to its first place, unless the user was faster. */
  #settle() {
    if (this.frame.open && document.activeElement === this.frame) this.start.focus();
  }

  /**
   * Who was writing when it opened writes on for a moment: a blank or Enter among that would press the first button
   * unread (SR-01). So the focus waits until they pause; where the first place is a field, it takes what is typed.
   */
  #pressed({ target, key, altKey, ctrlKey, metaKey }) {
    if (altKey || ctrlKey || metaKey) return;
    const { start } = this;
    const letter = key.length === 1 && key !== " ";
    if (target === this.frame && letter && start.matches(FIELD)) return this.#settle();
    if (target !== this.frame && !(letter && target === start && start.matches("button"))) return;
    this.frame.focus();
    this.#settleAfter(PAUSED);
  }

  /** Ends it. Without an answer it is the harmless one. */
  close(answer = null) {
    this.answer = answer;
    if (this.frame.open) this.frame.close();
    this.#tell(answer);
  }

  /** The buttons, in the order in which they are read. @param {(Action|false|null|undefined)[]} actions */
  actions(actions) {
    const wanted = actions.filter(Boolean);
    fill(
      this.footer,
      wanted.map(({ label, answer = null, act, kind = "plain", first = false }) =>
        button({
          label,
          class: `choice ${kind}`,
          dataset: first ? { first: "" } : {},
          onclick: () => (act ? this.run(act) : this.close(answer)),
        }),
      ),
    );
    this.footer.hidden = wanted.length === 0;
  }

  /** Does what may take a while: the buttons wait, a refusal is said here. True when it was done. */
  async run(act) {
    if ("busy" in this.frame.dataset) return false;
    this.complain("");
    this.frame.dataset.busy = "";
    try {
      await act();
      return true;
    } catch (error) {
      this.complain(reasonOf(error, this.chat));
      return false;
    } finally {
      delete this.frame.dataset.busy;
    }
  }

  /** Says what went wrong, or takes that away. */
  complain(text) {
    this.trouble.textContent = text;
    this.trouble.hidden = text === "";
    if (text !== "") this.trouble.scrollIntoView({ block: "nearest" });
  }

  #told = false;

  #tell(answer) {
    if (this.#told) return;
    this.#told = true;
    window.removeEventListener("hashchange", this.#left);
    this.dispatchEvent(new CustomEvent("closed", { detail: answer }));
  }
}

customElements.define("ll-dialog", Dialog);

/** Show a dialogue of ours from inside another; the focus goes back. @param {Dialog} dialog @returns {Promise<any>} */
export function ask(dialog) {
  const before = /** @type {HTMLElement|null} */ (document.activeElement);
  return new Promise((resolve) => {
    dialog.addEventListener(
      "closed",
      (event) => {
        dialog.remove();
        if (before?.isConnected) before.focus();
        resolve(/** @type {CustomEvent} */ (event).detail);
      },
      { once: true },
    );
    document.body.append(dialog);
    dialog.show();
  });
}

/**
 * A question with two answers. Escape, and what has the focus first, is no.
 * @param {{name: string, text: string|Node[], yes: string, no?: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export async function confirm({ name, text, yes, no, danger = false }) {
  const dialog = new Dialog();
  dialog.name = name;
  fill(dialog.body, el("p", {}, text));
  dialog.actions([
    { label: no ?? t("dialog.cancel"), first: true },
    { label: yes, answer: true, kind: danger ? "danger" : "primary" },
  ]);
  return (await ask(dialog)) === true;
}

/** A field with its label, and what is to be said of it. @returns {{row: HTMLElement, input: HTMLInputElement}} */
export function field({ label, note = "", tag = "input", ...props }) {
  const id = `field-${++count}`;
  const noted = note ? el("p", { class: "field-note", id: `${id}-note` }, note) : null;
  const input = el(tag, { id, ...props, "aria-describedby": note ? `${id}-note` : null });
  return { row: el("div", { class: "field" }, el("label", { htmlFor: id }, label), input, noted), input };
}

/**
 * Why something was refused, in a sentence or two. The daemon phrases it, but for what keeps us from asking it; `chat`
 * is whose name is put into it.
 */
export function reasonOf(error, chat = null) {
  const own = `dialog.trouble.${error.code}`;
  if (has(own)) return t(own);
  // One of our own, in the words of the table.
  if (!error.code && error instanceof Error) return error.message || t("dialog.trouble");
  if (error.data?.sentence)
    return [error.data.label, error.data.sentence]
      .filter(Boolean)
      .map((part) => sentenceOf(chat ? aboutChat(part, chat) : part))
      .join(" ");
  // A hint may name a command line, which is of no use here.
  const hint = error.hint && !/letterlock |--\w/.test(error.hint) ? error.hint : "";
  return [error.message || t("dialog.trouble"), hint].filter(Boolean).map(sentenceOf).join(" ");
}

/** A label in front of a sentence. */
export const ended = (label) => (/[.!?…]$/.test(label) ? label : `${label}.`);
