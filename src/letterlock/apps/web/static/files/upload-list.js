/** What is on its way in one chat, above the composer: how far each file is, why one was not sent, and what to do then. */

import { chatName } from "../daemon/about.js";
import { View, bdi, button, el, fill, icon } from "../base/dom.js";
import { bytesOf, t } from "../base/strings.js";
import { again, cancel, news, repeatable, uploadsOf } from "./uploads.js";

/** Placed with `chat`. */
export class Uploads extends View {
  #chat = /** @type {any} */ (null);
  /** @type {Map<import("./uploads.js").Upload, {row: HTMLElement, update: () => void}>} */
  #rows = new Map();

  get chat() {
    return this.#chat;
  }

  set chat(chat) {
    this.#chat = chat;
    this.#rows.clear();
    if (this.isConnected) this.render();
  }

  connected() {
    this.listen(news, "change", ({ detail }) => this.#chat && detail.chat === chatName(this.#chat) && this.render());
    fill(this, (this.list = el("ul", { class: "uploads", "aria-label": t("dialog.upload.label") })));
    this.render();
  }

  render() {
    const mine = this.#chat ? uploadsOf(chatName(this.#chat)) : [];
    const held = this.contains(document.activeElement);
    for (const [one, { row }] of this.#rows) {
      if (mine.includes(one)) continue;
      row.remove();
      this.#rows.delete(one);
    }
    // Who cancelled one goes on writing; the focus must not fall to the page.
    if (held && !this.contains(document.activeElement)) this.composer?.focusText();
    for (const one of mine) {
      if (!this.#rows.has(one)) {
        const made = this.#row(one);
        this.#rows.set(one, made);
        this.list.append(made.row);
      }
      this.#rows.get(one)?.update();
    }
    this.hidden = mine.length === 0;
  }

  get composer() {
    return /** @type {any} */ (this.closest("ll-conversation"))?.composer;
  }

  /** One line: its parts stay, so that the focus does while numbers change. */
  #row(one) {
    const bar = el("progress", { "aria-label": t("dialog.upload.progress", { name: one.name }) });
    const words = el("span", { class: "upload-words" });
    const retry = button({
      label: t("dialog.upload.retry"),
      icon: "retry",
      text: true,
      class: "choice small",
      onclick: () => again(one),
    });
    const stop = button({ label: "", icon: "close", class: "bare", onclick: () => this.#stop(one) });
    const row = el(
      "li",
      { class: "upload" },
      icon("file"),
      el(
        "div",
        { class: "upload-middle" },
        el("span", { class: "clip" }, bdi(one.name || t("dialog.upload.unnamed"))),
        one.text && el("span", { class: "clip faint" }, bdi(one.text)),
        bar,
        words,
      ),
      retry,
      stop,
    );
    const update = () => {
      const ended = one.stage === "failed";
      const held = row.contains(document.activeElement);
      row.classList.toggle("failed", ended);
      bar.hidden = ended;
      retry.hidden = !ended || !repeatable(one);
      stop.title = t(ended ? "dialog.upload.remove" : "dialog.upload.cancel", { name: one.name });
      stop.setAttribute("aria-label", stop.title);
      if (held && document.activeElement === retry && retry.hidden) stop.focus();
      if (one.stage === "queued" || one.size === 0) bar.removeAttribute("value");
      else Object.assign(bar, { max: one.size, value: Math.min(one.done, one.size) });
      words.textContent = ended
        ? one.reason
        : t(`dialog.upload.${one.stage}`, { done: bytesOf(one.done), size: bytesOf(one.size) });
    };
    return { row, update };
  }

  /** What was written beside a file that is not sent is not lost. */
  async #stop(one) {
    const { composer } = this;
    const text = await cancel(one);
    if (text) composer?.giveBack({ text, reply: one.reply });
  }
}

customElements.define("ll-uploads", Uploads);
