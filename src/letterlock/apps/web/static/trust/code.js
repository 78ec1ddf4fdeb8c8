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
import { bdi, button, el, fill, icon } from "../base/dom.js";
import { qr } from "./qr.js";
import { ScanError, Scanner, hexadecimal, readPicture } from "./scan.js";
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
    this.scanner?.stop();
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
      this.#show();
      this.#offer();
    });
  }

  // --- showing ---------------------------------------------------------------------------------------------------
  #show() {
    const { groups, qr: rows, me, them, me_name, them_name, fetched_at, fresh } = this.code;
    const names = el(
      "p",
      { class: "code-names" },
      person(me_name === me ? t("dialog.viewer.mine") : me_name, me),
      icon("forward"),
      person(them_name || called(this.chat), them),
    );
    const numbers = el(
      "div",
      { class: "code-groups", dir: "ltr", role: "list", "aria-label": t("dialog.code.digits") },
      groups.map((digits, at) =>
        el(
          "span",
          { role: "listitem" },
          el(
            "span",
            {
              role: "group",
              class: "code-group",
              "aria-label": t("dialog.code.group", { at: at + 1, of: groups.length }),
            },
            digits,
          ),
        ),
      ),
    );
    fill(
      this.shown,
      el("figure", { class: "code-qr" }, qr(rows, t("dialog.code.qr", { name: called(this.chat) }))),
      el(
        "div",
        { class: "code-text" },
        names,
        numbers,
        el(
          "p",
          { class: "code-fetched" },
          t(fresh === false ? "dialog.code.stale" : "dialog.code.fetched", {
            day: dayOf(fetched_at),
            time: timeOf(fetched_at),
          }),
          " ",
          button({
            label: t("dialog.code.refresh"),
            icon: "retry",
            text: true,
            class: "link",
            onclick: () => this.#fetch(),
          }),
        ),
      ),
    );
  }

  // --- comparing -------------------------------------------------------------------------------------------------
  #offer() {
    this.compare.hidden = false;
    if (this.#security.state === "verified") return this.#verified();
    const name = called(this.chat);
    this.scanner = new Scanner();
    this.scanSaid = el("p", { role: "status", class: "dialog-said" });
    // A button beside it has its name, and is the one that is told of.
    const named = { "aria-label": t("dialog.scan.picture"), "aria-hidden": "true", tabindex: -1 };
    this.picture = el("input", {
      type: "file",
      accept: "image/*",
      class: "picker",
      ...named,
      onchange: () => this.#read(),
    });
    this.camera = button({
      label: t("dialog.scan.camera"),
      icon: "camera",
      text: true,
      class: "choice",
      onclick: () => this.#film(),
    });
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
      el(
        "div",
        { class: "code-ways" },
        el(
          "section",
          { class: "code-way" },
          el("h4", {}, icon("qr"), t("dialog.code.by-scan")),
          el("p", { class: "field-note" }, t("dialog.code.scan-note", { name })),
          el(
            "div",
            { class: "row" },
            this.camera,
            button({
              label: t("dialog.scan.picture"),
              icon: "image",
              text: true,
              class: "choice",
              onclick: () => this.picture.click(),
            }),
            this.picture,
          ),
          this.scanner,
          this.scanSaid,
        ),
        form,
      ),
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

  // --- scanning --------------------------------------------------------------------------------------------------
  async #read() {
    const [picture] = this.picture.files;
    this.picture.value = "";
    if (picture) await this.#scan(() => readPicture(picture), "dialog.scan.nothing");
  }

  #film() {
    this.scanSaid.textContent = t("dialog.scan.looking");
    return this.#scan(() => this.scanner.start(), "");
  }

  async #scan(look, otherwise) {
    let found = null;
    try {
      found = await look();
      this.scanSaid.textContent = found || !otherwise ? "" : t(otherwise);
    } catch (error) {
      this.scanSaid.textContent = error instanceof ScanError ? error.message : t("dialog.scan.nothing");
    }
    if (found) await this.#verify({ scanned: hexadecimal(found) });
  }
}

customElements.define("ll-code", Code);

const typed = (input) => input.value.replace(/\s/g, "");

function person(name, number) {
  return el(
    "span",
    { class: "code-person" },
    name && name !== number ? [el("strong", {}, bdi(name)), " "] : null,
    bdi(number),
  );
}
