/**
 * A text that invites somebody to encrypt, to be copied or shared by whatever the user has. It is sent by nobody here.
 */

import { called } from "../daemon/about.js";
import { Dialog, field } from "../base/dialog.js";
import { el, fill } from "../base/dom.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

class Invite extends Dialog {
  build() {
    this.name = t("dialog.invite.name", { name: called(this.chat) });
    const plain = t("dialog.invite.text", { number: store.me?.number ?? "" }).replace(/[\u2068\u2069]/g, "");
    const { row, input } = field({
      tag: "textarea",
      label: t("dialog.invite.label"),
      rows: 6,
      value: plain,
      note: t("dialog.invite.note"),
    });
    this.text = input;
    this.said = el("p", { role: "status", class: "dialog-said" });
    fill(this.body, row, this.said);
    this.actions([
      { label: t("dialog.close"), first: true },
      "share" in navigator && { label: t("dialog.invite.share"), act: () => this.#share() },
      { label: t("dialog.invite.copy"), kind: "primary", act: () => this.#copy() },
    ]);
  }

  async #copy() {
    this.said.textContent = t((await copied(this.text)) ? "dialog.invite.copied" : "dialog.invite.select");
  }

  async #share() {
    try {
      await navigator.share({ text: this.text.value });
    } catch (error) {
      // Closing the system's own sheet is no trouble.
      if (error.name !== "AbortError") await this.#copy();
    }
  }
}

customElements.define("ll-invite", Invite);

/** @param {any} chat */
export function invite(chat) {
  return Object.assign(new Invite(), { chat });
}

/**
 * Whether a field's text is on the clipboard now; else it is selected.
 * @param {HTMLTextAreaElement|HTMLInputElement} input
 */
export async function copied(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    input.focus();
    input.select();
    return document.execCommand("copy");
  }
}
