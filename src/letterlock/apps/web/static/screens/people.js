/**
 * Choosing people: numbers are typed, or taken from chats that there are; each is checked before it is put on the list.
 */

import { field } from "../base/dialog.js";
import { bdi, button, el, fill, icon } from "../base/dom.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

const NUMBER = /^\+[1-9]\d{4,14}$/;

/**
 * A number as it is dialled from anywhere, or "" for what is none. Blanks, hyphens and brackets are how people write
 * one.
 * @param {string} text
 */
export function numberIn(text) {
  const bare = text.replace(/[\s().\-\u2010-\u2015\u200e\u200f\u2066-\u2069]/g, "").replace(/^00/, "+");
  return NUMBER.test(bare) ? bare : "";
}

/** Why a text is no number, for people; "" when it is one, or nothing yet. */
export function numberTrouble(text) {
  if (text.trim() === "" || numberIn(text)) return "";
  return t(/^[^+]*\d/.test(text) && !text.trim().startsWith("+") ? "dialog.number.country" : "dialog.number.no");
}

/** The people to choose: `.numbers` are those that are chosen, event `changed` when they are others. */
export class People extends HTMLElement {
  /** @type {string[]} */ numbers = [];
  /** @type {string[]} those that cannot be chosen */ taken = [];

  connectedCallback() {
    if (this.input) return;
    const list = `people-${Math.random().toString(36).slice(2)}`;
    const { row, input } = field({
      label: t("dialog.people.label"),
      note: t("dialog.people.note"),
      type: "tel",
      autocomplete: "off",
      dir: "ltr",
      onkeydown: (event) => this.#key(event),
    });
    this.input = input;
    input.setAttribute("list", list);
    this.trouble = el("p", { class: "field-trouble", role: "alert", hidden: true });
    this.chosen = el("ul", { class: "people-chosen", "aria-label": t("dialog.people.chosen") });
    const adder = button({
      label: t("dialog.people.add"),
      icon: "plus",
      text: true,
      class: "choice",
      onclick: () => this.take(),
    });
    const known = [...store.chats.values()].filter((chat) => chat.kind === "number");
    fill(
      this,
      el("div", { class: "people-row" }, row, adder),
      el(
        "datalist",
        { id: list },
        known.map((chat) => el("option", { value: chat.chat }, chat.name)),
      ),
      this.trouble,
      this.chosen,
    );
  }

  /** Puts what was typed on the list. False, and why, where it is no number. */
  take() {
    const text = this.input.value;
    if (text.trim() === "") return true;
    const number = numberIn(text);
    const refused =
      number === store.me?.number
        ? t("dialog.people.self")
        : this.taken.includes(number)
          ? t("dialog.people.taken")
          : numberTrouble(text);
    this.trouble.textContent = refused;
    this.trouble.hidden = refused === "";
    this.input.setAttribute("aria-invalid", String(refused !== ""));
    if (refused) return false;
    if (!this.numbers.includes(number)) this.numbers = [...this.numbers, number];
    this.input.value = "";
    this.#draw();
    return true;
  }

  #key(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    this.take();
  }

  #draw() {
    fill(
      this.chosen,
      this.numbers.map((number) => {
        const name = store.chat(number)?.name ?? number;
        return el(
          "li",
          {},
          icon("person"),
          el("span", { class: "clip" }, bdi(name)),
          button({
            label: t("dialog.people.remove", { name }),
            icon: "close",
            class: "bare",
            onclick: () => this.#drop(number),
          }),
        );
      }),
    );
    this.dispatchEvent(new CustomEvent("changed"));
  }

  #drop(number) {
    this.numbers = this.numbers.filter((other) => other !== number);
    this.#draw();
    this.input.focus();
  }
}

customElements.define("ll-people", People);
