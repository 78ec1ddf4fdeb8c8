/**
 * Choosing what to attach: from a picker, by dropping or by pasting; several at once, looked at before they are sent.
 *
 * Rules: nothing is given to the daemon before Send. What is too large, or is not what its name says, is told of here.
 * The files go one after another (uploads.js), so that they arrive in the order in which they were chosen; the first of
 * them is the answer, where a message is answered, and a text comes behind the last.
 */

import "./attachment.js";
import "./upload-list.js";

import { chatOf } from "../daemon/about.js";
import { Dialog, ask, field } from "../base/dialog.js";
import { button, bdi, el, fill, icon } from "../base/dom.js";
import { openMenu } from "../base/menu.js";
import { PROGRAM, disagreement } from "./sniff.js";
import { store } from "../daemon/store.js";
import { bytesOf, t } from "../base/strings.js";
import { begin } from "./uploads.js";

const MOST_FILES = 30;

/**
 * Where it goes: `reply` is the message that is answered, `sent` hears that something went.
 * @typedef {{chat: any, reply?: any, sent?: () => void}} To
 */

/** What one may add to a message: a menu at the button of the composer. @param {HTMLElement} anchor @param {To} to */
export function attachMenu(anchor, to) {
  return openMenu(anchor, {
    label: t("dialog.attach.menu"),
    items: [
      { label: t("dialog.attach.picture"), icon: "image", act: () => pick("image/*,video/*", to) },
      { label: t("dialog.attach.file"), icon: "file", act: () => pick("", to) },
      {
        label: t("dialog.attach.place"),
        icon: "location",
        act: () => import("./location.js").then(() => shown("ll-send-place", to)),
      },
    ],
  });
}

/**
 * Files to send: shown first. Resolves to true when they were given to the daemon.
 * @param {Iterable<File>} files
 * @param {To} to
 */
export async function attachFiles(files, to) {
  const chosen = [...files];
  if (chosen.length === 0) return false;
  return (await shown("ll-attach", { ...to, files: chosen })) === true;
}

/**
 * Files that are dropped on or pasted into an element.
 * @param {HTMLElement} target @param {() => To} to @param {{signal?: AbortSignal}} [options]
 */
export function watchDrops(target, to, { signal } = {}) {
  const files = (data) => [...(data?.files ?? [])];
  const mark = (over) => target.classList.toggle("dropping", over);
  const on = (type, heard) => target.addEventListener(type, heard, { signal });
  on("dragover", (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    mark(true);
  });
  on("dragleave", (event) => target.contains(event.relatedTarget) || mark(false));
  on("drop", (event) => {
    mark(false);
    if (!files(event.dataTransfer).length) return;
    event.preventDefault();
    attachFiles(files(event.dataTransfer), to());
  });
  on("paste", (event) => {
    if (!files(event.clipboardData).length) return;
    event.preventDefault();
    attachFiles(files(event.clipboardData), to());
  });
}

function pick(accept, to) {
  const input = el("input", {
    type: "file",
    multiple: true,
    accept,
    class: "picker",
    tabindex: -1,
    "aria-hidden": "true",
  });
  input.addEventListener("change", () => (input.remove(), attachFiles(input.files, to)));
  input.addEventListener("cancel", () => input.remove());
  document.body.append(input);
  input.click();
}

/** As `present` of elements.js, for dialogues that only these modules know. */
async function shown(name, { sent, ...props }) {
  const answer = await ask(Object.assign(document.createElement(name), props));
  if (answer) sent?.();
  return answer;
}

/** Looking at what is to be sent. `chat`, `files`, `reply`; its result is true when it goes. */
export class Attach extends Dialog {
  /** @type {File[]} */ files = [];
  /** @type {any} */ reply = null;
  #addresses = /** @type {string[]} */ ([]);

  build() {
    const most = store.me?.limits?.file_bytes ?? Infinity;
    this.large = this.files.filter((file) => file.size > most);
    const empty = this.files.filter((file) => file.size === 0);
    this.files = this.files.filter((file) => file.size <= most && file.size > 0).slice(0, MOST_FILES);
    this.list = el("ul", { class: "attach-list" });
    const text = field({
      tag: "textarea",
      label: t("dialog.attach.text"),
      note: t("dialog.attach.text-note"),
      rows: 2,
      dir: "auto",
    });
    this.text = text.input;
    fill(
      this.body,
      this.large.length > 0 &&
        el(
          "p",
          { class: "attach-trouble", role: "alert" },
          icon("warning"),
          el(
            "span",
            {},
            t("dialog.attach.large", {
              count: this.large.length,
              names: this.large.map((file) => file.name).join(", "),
              most: bytesOf(most),
            }),
          ),
        ),
      empty.length > 0 &&
        el(
          "p",
          { class: "attach-trouble", role: "alert" },
          icon("warning"),
          el(
            "span",
            {},
            t("dialog.attach.empty", { count: empty.length, names: empty.map((file) => file.name).join(", ") }),
          ),
        ),
      this.reply &&
        el(
          "p",
          { class: "attach-reply faint" },
          icon("reply"),
          el("span", {}, t("page.replying", { name: this.reply.mine ? t("page.you") : this.reply.sender_name || this.reply.sender })),
        ),
      this.list,
      text.row,
    );
    this.#draw();
  }

  get start() {
    return this.files.length ? this.text : this.heading;
  }

  close(answer = null) {
    for (const address of this.#addresses) URL.revokeObjectURL(address);
    super.close(answer);
  }

  #draw() {
    const plain = chatOf(this.chat).security?.composer === "plain";
    const count = this.files.length;
    this.name = count ? t("dialog.attach.name", { count }) : t("dialog.attach.nothing");
    fill(
      this.list,
      this.files.map((file) => this.#file(file)),
    );
    this.text.closest(".field").hidden = this.files.length === 0;
    this.actions([
      { label: t("dialog.cancel") },
      this.files.length > 0 && {
        label: t(plain ? "dialog.attach.send-plain" : "dialog.attach.send", { count: this.files.length }),
        kind: "primary",
        act: () => this.#send(),
      },
    ]);
  }

  #file(file) {
    const note = el("p", { class: "attach-note", hidden: true });
    disagreement(file).then((found) => {
      note.hidden = !found;
      const key = found?.is === PROGRAM ? "differs-program" : found?.is ? "differs" : "differs-not";
      if (found) fill(note, icon("warning"), el("span", {}, t(`dialog.attach.${key}`, found)));
    });
    const drop = () => {
      this.files = this.files.filter((other) => other !== file);
      if (this.files.length === 0) this.close();
      else this.#draw();
      this.heading.focus();
    };
    return el(
      "li",
      { class: "attach-file" },
      this.#preview(file),
      el(
        "div",
        { class: "attach-words" },
        el("span", { class: "clip" }, bdi(file.name)),
        el("span", { class: "faint" }, bytesOf(file.size)),
        note,
      ),
      button({ label: t("dialog.attach.drop", { name: file.name }), icon: "close", class: "bare", onclick: drop }),
    );
  }

  #preview(file) {
    // An SVG is a program to a browser: as a picture it cannot run, but it need not be looked at here.
    if (!/^image\/(?:jpeg|png|gif|webp|avif)$/.test(file.type))
      return el(
        "span",
        { class: "attach-icon" },
        icon(file.type.startsWith("video/") ? "video" : file.type.startsWith("audio/") ? "mic" : "file"),
      );
    const address = URL.createObjectURL(file);
    this.#addresses.push(address);
    const picture = el("img", { class: "attach-preview", src: address, alt: "" });
    picture.addEventListener("error", () => picture.replaceWith(el("span", { class: "attach-icon" }, icon("broken"))));
    return picture;
  }

  #send() {
    const text = this.text.value.trim();
    const last = this.files.length - 1;
    // What goes unencrypted is decided about once for all of them.
    const batch = { allow: "" };
    this.files.forEach((file, at) =>
      begin(this.chat, file, { batch, reply: at === 0 ? this.reply : null, text: at === last ? text : "" }),
    );
    this.close(true);
  }
}

customElements.define("ll-attach", Attach);
