/**
 * Recording a voice message, in place of the composer's row: a level that shows that it hears, the time, cancel and
 * send.
 *
 * The microphone is on only while this is in the page. Nothing is sent by leaving or by Escape. Opus in Ogg where the
 * browser writes it; else what it writes in WebM is put into Ogg (ogg.js), because phones and the daemon know that as
 * sound.
 */

import { rpc } from "../daemon/api.js";
import { View, button, el, fill, icon } from "../base/dom.js";
import { oggFromWebm } from "./ogg.js";
import { lengthOf, t } from "../base/strings.js";
import { begin } from "./uploads.js";

const LONGEST_MS = 15 * 60_000;
const SHORTEST_MS = 500;
const FORMS = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
const BARS = 40;

/** Placed with `chat`, `allow`, `reply`. Says `done` (detail: {sent}). */
export class Voice extends View {
  /** @type {any} */ chat = null;
  allow = "";
  /** @type {any} the message that it answers */ reply = null;
  #stream = /** @type {MediaStream|null} */ (null);
  #recorder = /** @type {MediaRecorder|null} */ (null);
  #chunks = /** @type {Blob[]} */ ([]);
  #began = 0;
  #clock = 0;
  #ended = false;

  connected() {
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("dialog.voice.label"));
    this.listen(this, "keydown", (event) => event.key === "Escape" && (event.stopPropagation(), this.#end(false)));
    this.start();
  }

  disconnected() {
    this.#quiet();
  }

  async start() {
    this.#ended = false;
    fill(
      this,
      el("p", { class: "voice-asking", role: "status" }, t("dialog.voice.asking")),
      button({ label: t("dialog.cancel"), class: "choice", onclick: () => this.#end(false) }),
    );
    this.querySelector("button")?.focus();
    try {
      if (!navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder)
        throw new DOMException("", "NotSupportedError");
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true },
        video: false,
      });
      if (this.#ended || !this.isConnected) return stream.getTracks().forEach((track) => track.stop());
      this.#stream = stream;
      this.#record();
    } catch (error) {
      this.#refused(error);
    }
  }

  #record() {
    const mimeType = FORMS.find((form) => MediaRecorder.isTypeSupported(form));
    const recorder = new MediaRecorder(this.#stream, { mimeType, audioBitsPerSecond: 24_000 });
    this.#recorder = recorder;
    this.#chunks = [];
    recorder.addEventListener("dataavailable", (event) => event.data.size > 0 && this.#chunks.push(event.data));
    recorder.addEventListener("error", () => this.#refused(new DOMException("", "NotReadableError")));
    // The microphone was pulled out, or taken away by the system.
    for (const track of this.#stream.getTracks())
      track.addEventListener("ended", () => this.#recorder?.state === "recording" && this.#recorder.pause());
    recorder.start(1_000);
    this.#began = performance.now();
    this.time = el("span", { class: "voice-time", role: "timer" }, "0:00");
    this.level = el(
      "span",
      { class: "voice-level", "aria-hidden": "true" },
      Array.from({ length: BARS }, () => el("i")),
    );
    fill(
      this,
      button({ label: t("dialog.voice.cancel"), icon: "delete", class: "bare", onclick: () => this.#end(false) }),
      el("span", { class: "voice-dot", "aria-hidden": "true" }),
      this.time,
      this.level,
      el("span", { class: "spoken", role: "status" }, t("dialog.voice.recording")),
      button({
        label: t("dialog.voice.send"),
        icon: "send",
        class: "primary voice-send",
        onclick: () => this.#end(true),
      }),
    );
    this.querySelector(".voice-send")?.focus();
    this.#meter();
    this.#typing(true);
  }

  #meter() {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(this.#stream).connect(analyser);
    const samples = new Uint8Array(analyser.fftSize);
    const levels = new Array(BARS).fill(0);
    this.sound = context;
    this.#clock = setInterval(() => {
      const lasted = performance.now() - this.#began;
      this.time.textContent = lengthOf(lasted);
      analyser.getByteTimeDomainData(samples);
      const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample - 128)), 0) / 128;
      levels.shift();
      levels.push(peak);
      [...this.level.children].forEach((bar, at) =>
        bar.style.setProperty("--level", String(Math.max(0.06, Math.min(1, levels[at] * 1.6)))),
      );
      if (lasted >= LONGEST_MS && this.#recorder?.state === "recording") this.#recorder.pause();
    }, 80);
  }

  #end(send) {
    if (this.#ended) return;
    this.#ended = true;
    const lasted = performance.now() - this.#began;
    const recorder = this.#recorder;
    const done = (sent) => {
      this.#quiet();
      this.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: { sent } }));
    };
    // A press by accident is no message.
    if (!send || !recorder || lasted < SHORTEST_MS) return done(false);
    recorder.addEventListener("stop", async () => {
      const { blob, name } = await named(new Blob(this.#chunks, { type: recorder.mimeType }));
      begin(this.chat, blob, { name, allow: this.allow, reply: this.reply });
      done(true);
    });
    recorder.stop();
  }

  /** The microphone goes off. */
  #quiet() {
    clearInterval(this.#clock);
    this.sound?.close();
    this.sound = null;
    if (this.#recorder && this.#recorder.state !== "inactive") this.#recorder.stop();
    if (this.#recorder) this.#typing(false);
    this.#recorder = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }

  #refused(error) {
    this.#quiet();
    const key =
      { NotAllowedError: "refused", NotFoundError: "none", NotSupportedError: "unsupported" }[error.name] ?? "busy";
    fill(
      this,
      icon("mic"),
      el("p", { class: "voice-refused", role: "alert" }, t(`dialog.voice.${key}`)),
      button({ label: t("dialog.voice.again"), class: "choice", onclick: () => this.start() }),
      button({ label: t("dialog.close"), icon: "close", class: "bare", onclick: () => this.#end(false) }),
    );
    // What had the focus has gone; without it Escape would not be heard.
    this.querySelector("button")?.focus();
  }

  #typing(active) {
    const chat = this.chat?.chat ?? this.chat;
    // A courtesy to the other end.
    rpc("typing", { chat, active }).catch(() => {});
  }
}

customElements.define("ll-voice", Voice);

async function named(recorded) {
  const [form] = recorded.type.split(";");
  const at = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000)
    .toISOString()
    .slice(0, 16)
    .replace(/[T:]/g, "-");
  if (form === "audio/webm") {
    const ogg = oggFromWebm(new Uint8Array(await recorded.arrayBuffer()));
    if (ogg) return { blob: new Blob([ogg], { type: "audio/ogg" }), name: `voice-${at}.ogg` };
  }
  const ending = { "audio/ogg": "ogg", "audio/mp4": "m4a" }[form] ?? "webm";
  return { blob: new Blob([recorded], { type: form }), name: `voice-${at}.${ending}` };
}
