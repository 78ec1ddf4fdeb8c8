/**
 * A file in a conversation: a picture, a film, a sound, or a card with its name.
 *
 * Rules: a small picture is shown by itself, because its sender made it for that; the file is fetched when somebody
 * asks. What cannot be shown here says why, and can be saved. A file is what its type says, and never opened by itself
 * (SR-14).
 */

import { reasonOf } from "../base/dialog.js";
import { View, bdi, button, el, fill, icon } from "../base/dom.js";
import { present } from "../base/elements.js";
import { forget, opened, save } from "./opened.js";
import { Sound } from "./sound.js";
import { bytesOf, lengthOf, t } from "../base/strings.js";
import { film, firstPicture, kindOf } from "./media.js";

const WIDEST = 320;
const TALLEST = 360;

/** Placed with `message`. */
export class Attachment extends View {
  #message = /** @type {any} */ (null);
  #drawn = "";
  #near = /** @type {IntersectionObserver|null} */ (null);

  get message() {
    return this.#message;
  }

  set message(message) {
    this.#message = message;
    if (this.isConnected) this.render();
  }

  connected() {
    this.render();
  }

  disconnected() {
    // It may only be moved to another place of the same message: then it goes on as it is.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#near?.disconnect();
      this.#near = null;
      this.#drawn = "";
    });
  }

  render() {
    const { file, message_id } = this.#message ?? {};
    if (!file) return;
    // A message changes its status several times; a film that plays must not begin anew for it.
    const key = `${message_id} ${file.size} ${file.content_type} ${file.thumbnail}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    const kind = kindOf(file);
    this.className = `attachment of-${kind}`;
    if (kind === "picture" || kind === "film") this.#visual(kind);
    else if (kind === "sound") fill(this, Object.assign(new Sound(), { message: this.#message }));
    else this.#card();
  }

  // --- pictures and films ------------------------------------------------------------------------------------------
  #visual(kind) {
    const { file } = this.#message;
    const named = t(kind === "picture" ? "dialog.media.picture" : "dialog.media.film", {
      name: file.name || t("dialog.media.unnamed"),
    });
    this.still = el("span", { class: "still" }, icon(kind === "picture" ? "image" : "video"));
    const open = el(
      "button",
      {
        type: "button",
        class: "visual",
        onclick: () => (kind === "picture" ? this.#enlarge() : this.#play()),
      },
      this.still,
      kind === "film" && el("span", { class: "visual-play" }, icon("play")),
      el("span", { class: "visual-facts" }),
    );
    this.#tell(open, named, kind === "film" ? file.duration_ms : null);
    this.#size(open);
    this.trouble = el("p", { class: "media-trouble", role: "status", hidden: true });
    fill(this, open, this.trouble);
    if (file.thumbnail) this.#whenNear(open, () => this.#poster(open));
    // Of any other form nobody can say where it is without fetching it.
    else if (kind === "film" && file.format === "sealed") this.#whenNear(open, () => this.#firstPicture(open, named));
  }

  /** What is known of it, to eyes and ears. */
  #tell(box, named, duration) {
    const facts = [duration ? lengthOf(duration) : "", bytesOf(this.#message.file.size)].filter(Boolean).join(" · ");
    box.setAttribute("aria-label", `${named}, ${facts}`);
    fill(box.querySelector(".visual-facts"), facts);
  }

  /** The place that it will take, before a byte is there: nothing jumps when it comes. */
  #size(box) {
    const { width, height } = this.#message.file;
    const scale = width && height ? Math.min(WIDEST / width, TALLEST / height) : 0;
    const [across, down] = scale ? [Math.max(120, width * scale), Math.max(90, height * scale)] : [240, 160];
    box.style.setProperty("--across", `${Math.round(across)}px`);
    box.style.setProperty("--ratio", `${Math.round(across)} / ${Math.round(down)}`);
  }

  #whenNear(element, act) {
    this.#near = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        this.#near?.disconnect();
        act();
      },
      { rootMargin: "400px" },
    );
    this.#near.observe(element);
  }

  async #poster(box) {
    try {
      const { path, inline } = await opened(this.#message, true);
      if (!inline) return;
      const picture = el("img", { alt: "", decoding: "async", src: path });
      await picture.decode();
      this.poster = path;
      this.still.replaceChildren(picture);
      box.classList.add("has-still");
    } catch {
      // The small picture is a courtesy; the file itself can still be asked for.
    }
  }

  /** A film without a small picture shows its first one, where it is on this machine: nothing is fetched for that. */
  async #firstPicture(box, named) {
    try {
      const { path, inline, here } = await opened(this.#message);
      if (!inline || !here) return;
      const picture = await firstPicture(path);
      this.still.replaceChildren(picture);
      box.classList.add("has-still");
      const { duration } = picture;
      this.#tell(box, named, this.#message.file.duration_ms ?? (Number.isFinite(duration) ? duration * 1000 : null));
    } catch {
      // A format that this browser lacks; whoever presses it is told so.
    }
  }

  async #enlarge() {
    await present("ll-viewer", { message: this.#message });
  }

  async #play() {
    this.trouble.hidden = true;
    try {
      const playing = await film(this.#message, { poster: this.poster, onbroken: (reason) => this.#broken(reason) });
      if (!playing) return;
      this.#size(playing);
      playing.classList.add("visual");
      this.querySelector(".visual")?.replaceWith(playing);
      playing.focus();
      // Refused by the browser only where nobody pressed anything; the controls are there then.
      await playing.play().catch(() => {});
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What cannot be played here: its picture stays, the reason is said, and it can be saved. */
  #broken(reason) {
    const { poster } = this;
    this.#visual("film");
    const box = /** @type {HTMLButtonElement} */ (this.querySelector(".visual"));
    if (poster) this.#poster(box);
    fill(this.trouble, icon("info"), el("span", {}, reason), " ", this.#saver("link"));
    this.trouble.hidden = false;
  }

  #failed(error) {
    forget(this.#message);
    fill(this.trouble, icon("warning"), el("span", {}, reasonOf(error)));
    this.trouble.hidden = false;
  }

  // --- everything else ---------------------------------------------------------------------------------------------
  #card() {
    const { file } = this.#message;
    this.trouble = el("p", { class: "media-trouble", role: "status", hidden: true });
    fill(
      this,
      el(
        "div",
        { class: "file-card" },
        icon("file"),
        el(
          "div",
          { class: "file-words" },
          el("span", { class: "clip", title: file.name }, bdi(file.save_as || t("dialog.media.unnamed"))),
          el(
            "span",
            { class: "faint", title: file.content_type },
            [ending(file.save_as), bytesOf(file.size)].filter(Boolean).join(" · "),
          ),
        ),
        this.#saver(""),
      ),
      this.trouble,
    );
  }

  #saver(looks) {
    const { file } = this.#message;
    return button({
      label: t("dialog.media.save"),
      icon: looks ? undefined : "download",
      text: true,
      class: looks || "choice small",
      "aria-label": t("dialog.media.save-name", { name: file.save_as || t("dialog.media.unnamed") }),
      onclick: () => save(this.#message).catch((error) => this.#failed(error)),
    });
  }
}

customElements.define("ll-attachment", Attachment);

/** `PDF`: what people call a kind of file. Its type is for whoever points at it. */
function ending(name = "") {
  return /\.([a-z0-9]{1,5})$/i.exec(name)?.[1].toUpperCase() ?? "";
}
