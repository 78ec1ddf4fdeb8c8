/** Comparing a security code by a scan of the other one: with the camera, or from a picture. */

import { button, el, icon } from "../base/dom.js";
import { ScanError, Scanner, hexadecimal, readPicture } from "./scan.js";
import { t } from "../base/strings.js";

export class ScanWay {
  #found;
  #scanner = new Scanner();
  #said = el("p", { role: "status", class: "dialog-said" });

  /**
   * @param {string} name whose code it is
   * @param {(hexadecimal: string) => Promise<unknown>} found is told the bytes of a code
   */
  constructor(name, found) {
    this.#found = found;
    // A button beside it has its name, and is the one that is told of.
    const named = { "aria-label": t("dialog.scan.picture"), "aria-hidden": "true", tabindex: -1 };
    const picture = el("input", {
      type: "file",
      accept: "image/*",
      class: "picker",
      ...named,
      onchange: () => this.#read(picture),
    });
    const camera = button({
      label: t("dialog.scan.camera"),
      icon: "camera",
      text: true,
      class: "choice",
      onclick: () => this.#film(),
    });
    const chooser = button({
      label: t("dialog.scan.picture"),
      icon: "image",
      text: true,
      class: "choice",
      onclick: () => picture.click(),
    });
    /** What stands on the screen. */
    this.element = el(
      "section",
      { class: "code-way" },
      el("h4", {}, icon("qr"), t("dialog.code.by-scan")),
      el("p", { class: "field-note" }, t("dialog.code.scan-note", { name })),
      el("div", { class: "row" }, camera, chooser, picture),
      this.#scanner,
      this.#said,
    );
  }

  /** The camera's light goes out. */
  stop() {
    this.#scanner.stop();
  }

  async #read(input) {
    const [picture] = input.files;
    input.value = "";
    if (picture) await this.#scan(() => readPicture(picture), "dialog.scan.nothing");
  }

  #film() {
    this.#said.textContent = t("dialog.scan.looking");
    return this.#scan(() => this.#scanner.start(), "");
  }

  async #scan(look, otherwise) {
    let found = null;
    try {
      found = await look();
      this.#said.textContent = found || !otherwise ? "" : t(otherwise);
    } catch (error) {
      this.#said.textContent = error instanceof ScanError ? error.message : t("dialog.scan.nothing");
    }
    if (found) await this.#found(hexadecimal(found));
  }
}
