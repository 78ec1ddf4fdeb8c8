/**
 * Showing pictures and films: which can be, playing, and one at a time in full.
 *
 * A film plays from the daemon's address with ranges, so it begins before all of it is there and seeks by itself.
 * Whether a browser can play it is asked first and seen when it begins: a format that it lacks often is announced by
 * nothing but a film without pictures.
 */

import { chatName } from "../daemon/about.js";
import { Dialog, reasonOf } from "../base/dialog.js";
import { bdi, button, el, fill } from "../base/dom.js";
import { opened, save } from "./opened.js";
import { store } from "../daemon/store.js";
import { bytesOf, momentOf, t } from "../base/strings.js";

const PICTURES = new Set(["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"]);

/**
 * How a file is shown.
 * @param {{content_type: string, width?: number|null, name?: string}} file
 * @returns {"picture"|"film"|"sound"|"file"}
 */
export function kindOf({ content_type, width, name }) {
  const type = content_type.split(";")[0].trim().toLowerCase();
  if (PICTURES.has(type)) return "picture";
  if (type.startsWith("audio/") || type === "application/ogg") return "sound";
  // A recording of sound alone in a container of films.
  if (type === "video/webm" && !width && /^voice[-_ ]/.test(name ?? "")) return "sound";
  if (type.startsWith("video/")) return "film";
  return "file";
}

/**
 * A film with controls; null, and the reason told, where this browser cannot play it.
 * @param {any} message
 * @param {{poster?: string, onbroken: (reason: string) => void}} options
 * @returns {Promise<HTMLVideoElement|null>}
 */
export async function film(message, { poster, onbroken }) {
  const { file } = message;
  const probe = document.createElement("video");
  // "" is a sure no; anything else is a guess that only playing proves.
  const type = file.content_type.split(";")[0] === "video/quicktime" ? "video/mp4" : file.content_type;
  if (probe.canPlayType(type) === "") {
    onbroken(t("dialog.media.no-format", { type: file.content_type }));
    return null;
  }
  const { path, inline } = await opened(message);
  if (!inline) {
    onbroken(t("dialog.media.no-format", { type: file.content_type }));
    return null;
  }
  const video = el("video", {
    controls: true,
    preload: "metadata",
    playsInline: true,
    src: path,
    "aria-label": t("dialog.media.film", { name: file.name || t("dialog.media.unnamed") }),
    tabindex: 0,
  });
  if (poster) video.poster = poster;
  let told = false;
  const broken = (reason) => {
    if (told) return;
    told = true;
    video.removeAttribute("src");
    video.load();
    onbroken(reason);
  };
  video.addEventListener("error", () => broken(whyBroken(video.error, file)));
  video.addEventListener("loadedmetadata", () => {
    // Sound that plays while nothing is seen: the pictures are in a format that this browser lacks (HEVC, mostly).
    if (video.videoWidth === 0) broken(t("dialog.media.no-pictures"));
  });
  return video;
}

/**
 * The first picture of a film, as an element that shows it and does nothing else. Raises where there is none.
 * @param {string} path @returns {Promise<HTMLVideoElement>}
 */
export function firstPicture(path) {
  // A film often begins with a black picture; the first tenth of a second is past it.
  const video = el("video", {
    ...{ src: `${path}#t=0.1`, preload: "metadata", muted: true, playsInline: true, tabindex: -1 },
    ...{ disablePictureInPicture: true, "aria-hidden": "true" },
  });
  return new Promise((resolve, reject) => {
    video.addEventListener("error", () => reject(video.error), { once: true });
    video.addEventListener("loadeddata", () => (video.videoWidth ? resolve(video) : reject()), { once: true });
  });
}

function whyBroken(error, file) {
  if (error?.code === MediaError.MEDIA_ERR_NETWORK) return t("dialog.media.network");
  // Of a file that begins well and then does not go on.
  if (error?.code === MediaError.MEDIA_ERR_DECODE) return t("dialog.media.damaged");
  return t("dialog.media.no-play", { type: file.content_type });
}

/** One picture in full, with those before and after it. Presented with `message`. */
export class Viewer extends Dialog {
  /** @type {any} */ message = null;
  #serial = 0;

  build() {
    this.frame.classList.add("viewer");
    this.stage = el("div", { class: "viewer-stage", role: "group", "aria-label": t("dialog.viewer.stage") });
    this.facts = el("p", { class: "viewer-facts" });
    this.back = button({
      label: t("dialog.viewer.earlier"),
      icon: "back",
      class: "bare viewer-step",
      onclick: () => this.#step(-1),
    });
    this.forth = button({
      label: t("dialog.viewer.later"),
      icon: "forward",
      class: "bare viewer-step",
      onclick: () => this.#step(1),
    });
    this.zoom = button({
      label: t("dialog.viewer.zoom"),
      icon: "search",
      class: "bare",
      "aria-pressed": "false",
      onclick: () => this.#enlarge(),
    });
    const saver = button({
      label: t("dialog.media.save"),
      icon: "download",
      class: "bare",
      onclick: () => this.run(() => save(this.message)),
    });
    fill(this.body, this.back, this.stage, this.forth);
    this.body.before(el("div", { class: "viewer-bar" }, this.facts, this.zoom, saver));
    this.frame.addEventListener("keydown", (event) => this.#key(event));
    this.#show();
  }

  get start() {
    return this.heading;
  }

  /** Pictures of the part of the conversation that is loaded. */
  get #row() {
    const { chat } = this.message;
    const near = store
      .window(chatName(chat))
      .messages.filter((message) => message.file && kindOf(message.file) === "picture");
    return near.some((other) => other.message_id === this.message.message_id) ? near : [this.message];
  }

  async #show() {
    const turn = ++this.#serial;
    const { message } = this;
    const { file, sender_name, mine, at } = message;
    const row = this.#row;
    const place = row.findIndex((other) => other.message_id === message.message_id);
    this.name = file.name || t("dialog.media.unnamed");
    fill(this.facts, mine ? t("dialog.viewer.mine") : bdi(sender_name), ` · ${momentOf(at)} · ${bytesOf(file.size)}`);
    this.back.disabled = place <= 0;
    this.forth.disabled = place >= row.length - 1;
    this.#fit();
    this.complain("");
    fill(this.stage, el("p", { class: "viewer-wait", role: "status" }, t("dialog.viewer.opening")));
    // The small one at once, the file itself when it is there.
    if (file.thumbnail)
      opened(message, true)
        .then(
          ({ path }) =>
            turn === this.#serial &&
            !this.full &&
            fill(this.stage, el("img", { class: "viewer-picture small", src: path, alt: "" })),
        )
        .catch(() => {});
    this.full = false;
    try {
      const { path, inline } = await opened(message);
      if (!inline) throw new Error(t("dialog.media.no-format", { type: file.content_type }));
      const picture = el("img", {
        class: "viewer-picture",
        src: path,
        alt: t("dialog.media.picture", { name: file.name || t("dialog.media.unnamed") }),
      });
      await picture.decode();
      if (turn !== this.#serial) return;
      this.full = true;
      fill(this.stage, picture);
    } catch (error) {
      if (turn !== this.#serial) return;
      this.stage.querySelector(".viewer-wait")?.remove();
      this.complain(error.name === "EncodingError" ? t("dialog.media.no-picture") : reasonOf(error));
    }
  }

  #step(by) {
    const row = this.#row;
    const next = row[row.findIndex((other) => other.message_id === this.message.message_id) + by];
    if (!next) return;
    this.message = next;
    this.#show();
  }

  #enlarge() {
    const large = this.stage.classList.toggle("large");
    // Larger than its place: the arrow keys move it, once it has the focus.
    if (large) this.stage.tabIndex = 0;
    else this.stage.removeAttribute("tabindex");
    this.zoom.setAttribute("aria-pressed", String(large));
  }

  #fit() {
    this.stage.classList.remove("large");
    this.stage.removeAttribute("tabindex");
    this.zoom.setAttribute("aria-pressed", "false");
  }

  #key(event) {
    const rtl = document.documentElement.dir === "rtl";
    // Moving about in one that is larger than the window.
    if (event.target === this.stage && event.key.startsWith("Arrow")) return;
    const act = {
      ArrowLeft: () => this.#step(rtl ? 1 : -1),
      ArrowRight: () => this.#step(rtl ? -1 : 1),
      "+": () => this.#enlarge(),
      "-": () => this.#fit(),
      0: () => this.#fit(),
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
}

customElements.define("ll-viewer", Viewer);
