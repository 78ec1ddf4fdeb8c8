/**
 * Reads a QR code from a picture or the camera, here in the page: no picture leaves it.
 *
 * The decoder is jsQR as published (vendor/), loaded when it is first needed. A security code is bytes, not text, so
 * only the bytes of the code are taken; whether they are a code of ours is for the daemon to say.
 */

import { el } from "../base/dom.js";
import { t } from "../base/strings.js";

const LONGEST = 24 << 20; // bytes of a picture that is read at all
const SIDES = [1000, 1800, 500]; // a photograph's noise hides a code at one size and not at another
const LOOK_MS = 150;

/** Why there is no picture to look at; the message is for people. */
export class ScanError extends Error {}

/**
 * The bytes of the code in a picture, or null if none was found.
 * @param {Blob} picture
 * @returns {Promise<Uint8Array|null>}
 */
export async function readPicture(picture) {
  if (picture.size > LONGEST) throw new ScanError(t("dialog.scan.too-large"));
  let bitmap;
  try {
    bitmap = await createImageBitmap(picture);
  } catch {
    throw new ScanError(t("dialog.scan.no-picture"));
  }
  try {
    for (const side of SIDES) {
      const found = await look(bitmap, bitmap.width, bitmap.height, side);
      if (found) return found;
    }
    return null;
  } finally {
    bitmap.close();
  }
}

/** The camera in a box, looked at until it shows a code. `.start(found)` asks for it, `.stop()` lets it go. */
export class Scanner extends HTMLElement {
  #stream = /** @type {MediaStream|null} */ (null);
  #stopped = false;

  /**
   * Resolves to the bytes of the first code, or null when it was stopped. Raises ScanError without a camera.
   * @returns {Promise<Uint8Array|null>}
   */
  async start() {
    this.#stopped = false;
    if (!navigator.mediaDevices?.getUserMedia) throw new ScanError(t("dialog.scan.no-camera"));
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    } catch (error) {
      throw new ScanError(t(error.name === "NotAllowedError" ? "dialog.scan.refused" : "dialog.scan.no-camera"));
    }
    // It was closed while the browser was asking.
    if (this.#stopped) {
      for (const track of stream.getTracks()) track.stop();
      return null;
    }
    this.#stream = stream;
    const video = el("video", { class: "scan-view", "aria-label": t("dialog.scan.view"), playsInline: true });
    video.muted = true;
    video.srcObject = stream;
    this.replaceChildren(video);
    await video.play();
    try {
      while (!this.#stopped) {
        if (video.videoWidth > 0) {
          const found = await look(video, video.videoWidth, video.videoHeight, SIDES[0]);
          if (found) return found;
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      return null;
    } finally {
      this.stop();
    }
  }

  /** The camera's light goes out. */
  stop() {
    this.#stopped = true;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.replaceChildren();
  }

  disconnectedCallback() {
    this.stop();
  }
}

customElements.define("ll-scanner", Scanner);

/** Bytes as the hexadecimal digits in which they go to the daemon. @param {Uint8Array} bytes */
export function hexadecimal(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function look(source, width, height, side) {
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  // A picture with transparent ground would be black on black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const jsQR = await decoder();
  const code = jsQR(pixels.data, pixels.width, pixels.height);
  return code && code.binaryData.length > 0 ? Uint8Array.from(code.binaryData) : null;
}

async function decoder() {
  // The package is no module: loaded as one it leaves its function on the window.
  if (!globalThis.jsQR) await import("../vendor/jsQR.js");
  return globalThis.jsQR;
}
