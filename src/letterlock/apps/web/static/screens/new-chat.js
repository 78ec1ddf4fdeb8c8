/** Beginning a chat: with a number, which may get a name that only this profile knows, or with a group. */

import { rpc } from "../daemon/api.js";
import { Dialog, field } from "../base/dialog.js";
import { el, fill, icon } from "../base/dom.js";
import { People, numberIn, numberTrouble } from "./people.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

/** Presented; its result is `{chat}`, or null. */
export class NewChat extends Dialog {
  #group = false;

  build() {
    this.name = t("dialog.new.name");
    this.form = el("form", { class: "new-form", onsubmit: (event) => (event.preventDefault(), this.#begin()) });
    const kind = (group, shape, label) =>
      el(
        "label",
        { class: "kind" },
        el("input", {
          type: "radio",
          name: "kind",
          checked: group === this.#group,
          onchange: () => this.#choose(group),
        }),
        icon(shape),
        el("span", {}, label),
      );
    fill(
      this.body,
      el(
        "fieldset",
        { class: "kinds" },
        el("legend", { class: "spoken" }, t("dialog.new.kind")),
        kind(false, "person", t("dialog.new.one")),
        kind(true, "group", t("dialog.new.group")),
      ),
      this.form,
    );
    this.actions([
      { label: t("dialog.cancel") },
      { label: t("dialog.new.begin"), kind: "primary", act: () => this.#make() },
    ]);
    this.#choose(false);
  }

  get start() {
    return this.number ?? this.heading;
  }

  #choose(group) {
    this.#group = group;
    this.complain("");
    if (group) this.#forGroup();
    else this.#forOne();
  }

  #forOne() {
    const number = field({
      label: t("dialog.new.number"),
      note: t("dialog.new.number-note"),
      type: "tel",
      inputMode: "tel",
      autocomplete: "off",
      placeholder: "+1 555 0100",
      dir: "ltr",
      required: true,
    });
    const name = field({
      label: t("dialog.new.called"),
      note: t("dialog.new.called-note"),
      autocomplete: "off",
      maxLength: 100,
      dir: "auto",
    });
    this.number = number.input;
    this.called = name.input;
    number.input.addEventListener("blur", () => {
      const trouble = numberTrouble(number.input.value);
      if (!trouble || this.contains(document.activeElement)) this.complain(trouble);
    });
    // Enter in either field begins.
    fill(this.form, number.row, name.row, el("button", { type: "submit", hidden: true }));
  }

  #forGroup() {
    const subject = field({ label: t("dialog.new.subject"), autocomplete: "off", maxLength: 200, dir: "auto" });
    this.subject = subject.input;
    this.people = new People();
    fill(this.form, subject.row, this.people, el("p", { class: "field-note" }, t("dialog.new.group-note")));
  }

  #begin() {
    return this.run(() => this.#make());
  }

  #make() {
    return this.#group ? this.#beginGroup() : this.#beginOne();
  }

  async #beginOne() {
    const number = numberIn(this.number.value);
    if (!number) {
      this.number.setAttribute("aria-invalid", "true");
      this.number.focus();
      throw new Error(numberTrouble(this.number.value) || t("dialog.new.number-note"));
    }
    if (number === store.me?.number) throw new Error(t("dialog.new.self"));
    const chat = await store.openChat(number);
    const name = this.called.value.trim();
    if (name) {
      await rpc("name", { chat: chat.chat, name });
      await store.refreshChat(chat.chat);
    }
    this.close({ chat: chat.chat });
  }

  async #beginGroup() {
    if (!this.people.take()) return;
    if (this.people.numbers.length === 0) {
      this.people.input.focus();
      throw new Error(t("dialog.new.nobody"));
    }
    const { chat } = await rpc("group.create", { subject: this.subject.value.trim(), members: this.people.numbers });
    await store.refreshChat(chat);
    this.close({ chat });
  }
}

customElements.define("ll-new-chat", NewChat);
