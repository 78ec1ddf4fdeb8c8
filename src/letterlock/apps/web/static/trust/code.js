/**
 * The security code of a chat: shown, compared, marked, withdrawn.
 *
 * Rules: both ends' keys are fetched before anything is shown. "They match" takes a scan, or the last group as the
 * other person reads it out: a click alone proves nothing. Where codes differ, the first advice is to look whether both
 * screens are up to date; only then what else it may mean, harmless causes first. Escape never means that they match.
 */

import { called, chatName, chatOf } from "../daemon/about.js";
import { rpc } from "../daemon/api.js";
import { causes } from "./causes.js";
import { Dialog, confirm, field } from "../base/dialog.js";
import { button, el, fill, icon } from "../base/dom.js";
import { shownCode } from "./code-shown.js";
import { ScanWay } from "./scan-way.js";
import { store } from "../daemon/store.js";
import { dayOf, t, timeOf } from "../base/strings.js";

const GROUP = /^\d{5}$/;

/** Presented with `chat`; its result is the state of the chat where that was changed here. */
export class Code extends Dialog {
  #differed = 0;
  #security = null;

  build() {
    this.name = t("dialog.code.name");
    this.frame.classList.add("wide");
    this.shown = el("div", { class: "code-shown" });
    this.compare = el("section", { class: "code-compare", hidden: true });
    this.status = el("p", { class: "code-status", role: "status" });
    fill(
      this.body,
      el("p", { class: "code-purpose" }, t("dialog.code.purpose", { name: called(this.chat) })),
      this.status,
      this.shown,
      this.compare,
    );
    this.#security = chatOf(this.chat).security;
    this.#fetch();
  }

  get start() {
    return this.heading;
  }

  close(answer = null) {
    this.scan?.stop();
    super.close(answer);
  }

  #fetch() {
    this.status.textContent = t("dialog.code.fetching");
    return this.run(async () => {
      try {
        this.code = await rpc("code", { chat: chatName(this.chat) });
        this.#security = await rpc("security", { chat: chatName(this.chat) });
      } finally {
        this.status.textContent = "";
      }
      fill(this.shown, shownCode(this.code, this.chat, () => this.#fetch()));
      this.#offer();
    });
  }

  #offer() {
    this.compare.hidden = false;
    if (this.#security.state === "verified") return this.#verified();
    const name = called(this.chat);
    this.scan = new ScanWay(name, (scanned) => this.#verify({ scanned }));
    const { row, input } = field({
      label: t("dialog.code.last", { name }),
      note: t("dialog.code.last-note", { name }),
      inputMode: "numeric",
      autocomplete: "off",
      maxLength: 7,
      class: "code-last",
      dir: "ltr",
    });
    this.last = input;
    const match = button({
      label: t("dialog.code.match"),
      class: "choice primary",
      disabled: true,
      onclick: () => this.#verify({ last_group: typed(input) }),
    });
    input.addEventListener("input", () => {
      match.disabled = !GROUP.test(typed(input));
    });
    const form = el(
      "form",
      { class: "code-way", onsubmit: (event) => event.preventDefault() },
      el("h4", {}, icon("check"), t("dialog.code.by-voice")),
      row,
      match,
    );
    form.addEventListener("submit", () => match.disabled || match.click());
    fill(
      this.compare,
      (this.#security.state === "keys-new" || this.#security.state === "no-longer-verified") && causes(name),
      el("h3", {}, t("dialog.code.compare", { name })),
      el("div", { class: "code-ways" }, this.scan.element, form),
    );
    this.actions([{ label: t("dialog.code.later") }]);
  }

  #verified() {
    const name = called(this.chat);
    const { verified_at } = this.#security;
    fill(
      this.compare,
      el(
        "p",
        { class: "code-verified" },
        icon("shield-check"),
        el(
          "span",
          {},
          verified_at
            ? t("dialog.code.verified-on", { name, day: dayOf(verified_at), time: timeOf(verified_at) })
            : t("dialog.code.verified", { name }),
        ),
      ),
    );
    this.actions([
      { label: t("dialog.code.withdraw"), act: () => this.#withdraw() },
      { label: t("dialog.done"), kind: "primary", first: true, answer: this.#security },
    ]);
  }

  #verify(by) {
    return this.run(async () => {
      try {
        this.#security = await rpc("verify", { chat: chatName(this.chat), ...by });
      } catch (error) {
        if (error.code !== "trust.code_differs") throw error;
        this.#differs();
        return;
      }
      store.refreshChat(chatName(this.chat));
      this.answer = this.#security;
      this.#offer();
      this.status.textContent = t("dialog.code.now-verified", { name: called(this.chat) });
      this.footer.querySelector("[data-first]")?.focus();
    });
  }

  #differs() {
    const name = called(this.chat);
    this.#differed += 1;
    const note = el(
      "section",
      { class: "code-differs", role: "alert" },
      el("h3", {}, icon("warning"), t("dialog.code.differs")),
      el("p", {}, t("dialog.code.differs-first", { name })),
      // Not at once: a screen that is out of date, or a digit that was not heard well, is by far the likeliest.
      this.#differed > 1 && causes(name, "differ"),
      button({
        label: t("dialog.code.again"),
        icon: "retry",
        text: true,
        class: "choice",
        onclick: () => this.#fetch(),
      }),
    );
    this.compare.querySelector(".code-differs")?.remove();
    this.compare.prepend(note);
    note.scrollIntoView({ block: "nearest" });
    this.last.value = "";
    this.last.dispatchEvent(new Event("input"));
  }

  async #withdraw() {
    const name = called(this.chat);
    const sure = await confirm({
      name: t("dialog.code.withdraw-name"),
      text: t("dialog.code.withdraw-text", { name }),
      yes: t("dialog.code.withdraw"),
      danger: true,
    });
    if (!sure) return;
    this.#security = await rpc("withdraw", { chat: chatName(this.chat) });
    store.refreshChat(chatName(this.chat));
    this.#offer();
  }
}

customElements.define("ll-code", Code);

const typed = (input) => input.value.replace(/\s/g, "");
