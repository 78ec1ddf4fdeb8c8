/**
 * A sound or a voice message: play, seek by its waveform, see how long it is.
 *
 * The slider is a real one, so that arrow keys and screen readers have it; the waveform behind it is a drawing. Where
 * its sender gave none it is worked out when it is first played, if it is short.
 */

import { reasonOf } from "../base/dialog.js";
import { View, bdi, button, el, fill, icon, svg } from "../base/dom.js";
import { opened, save } from "./opened.js";
import { lengthOf, t } from "../base/strings.js";

const BARS = 48;
const SHORT_BYTES = 3 << 20;
/** One sound at a time. @type {HTMLAudioElement|null} */
let playing = null;

export class Sound extends View {
  /** @type {any} */ message = null;
  #audio = /** @type {HTMLAudioElement|null} */ (null);

  connected() {
    if (this.toggle) return;
    const { file } = this.message;
    this.toggle = button({
      label: t("dialog.sound.play"),
      icon: "play",
      class: "sound-toggle",
      onclick: () => this.#toggle(),
    });
    this.wave = el("span", { class: "sound-wave", "aria-hidden": "true" });
    this.slider = el("input", {
      type: "range",
      min: 0,
      max: Math.max(1, file.duration_ms ?? 1),
      step: 100,
      value: 0,
      class: "sound-seek",
      "aria-label": t("dialog.sound.seek"),
      disabled: true,
      oninput: () => this.#seek(),
    });
    this.time = el("span", { class: "sound-time" }, file.duration_ms ? lengthOf(file.duration_ms) : "–:––");
    this.trouble = el("p", { class: "media-trouble", role: "status", hidden: true });
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("dialog.sound.name", { name: file.name || t("dialog.media.unnamed") }));
    fill(
      this,
      el(
        "div",
        { class: "sound" },
        this.toggle,
        el("span", { class: "sound-track" }, this.wave, this.slider),
        this.time,
      ),
      // What is called a voice message needs no name; a song does.
      file.name && !/^voice[-_ ]/.test(file.name) && el("span", { class: "sound-name clip" }, bdi(file.name)),
      this.trouble,
    );
    this.#draw(file.waveform ?? []);
    this.#tell();
  }

  disconnected() {
    // It may only be moved.
    queueMicrotask(() => this.isConnected || this.#audio?.pause());
  }

  // --- playing -----------------------------------------------------------------------------------------------------
  async #toggle() {
    if (this.#audio && !this.#audio.paused) return void this.#audio.pause();
    this.trouble.hidden = true;
    try {
      if (!this.#audio) await this.#load();
      if (playing && playing !== this.#audio) playing.pause();
      playing = this.#audio;
      await this.#audio?.play();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#broken(error.name === "NotSupportedError" ? t("dialog.sound.no-play") : reasonOf(error));
    }
  }

  async #load() {
    const { path, inline } = await opened(this.message);
    if (!inline) throw new DOMException("", "NotSupportedError");
    const audio = new Audio(path);
    this.#audio = audio;
    const on = (type, heard) => audio.addEventListener(type, heard);
    on("play", () => this.#tell());
    on("pause", () => this.#tell());
    on("timeupdate", () => this.#tick());
    on("durationchange", () => this.#measure());
    on("ended", () => {
      audio.currentTime = 0;
      this.#tick();
      this.#tell();
    });
    on("error", () => this.#broken(t("dialog.sound.no-play")));
    this.slider.disabled = false;
    if (!this.message.file.waveform?.length && this.message.file.size <= SHORT_BYTES) this.#listen(path);
  }

  #seek() {
    if (!this.#audio) return;
    this.#audio.currentTime = this.slider.valueAsNumber / 1000;
    this.#tick();
  }

  #measure() {
    const { duration } = this.#audio;
    // A recording that was never finished has no length until it was played to its end.
    if (Number.isFinite(duration)) this.slider.max = String(Math.max(1, Math.round(duration * 1000)));
    this.#tick();
  }

  #tick() {
    const at = (this.#audio?.currentTime ?? 0) * 1000;
    const length = Number(this.slider.max);
    this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", t("dialog.sound.at", { at: lengthOf(at), of: lengthOf(length) }));
    this.time.textContent = lengthOf(at > 0 ? at : length > 1 ? length : 0);
    this.wave.style.setProperty("--heard", `${Math.min(100, (at / length) * 100)}%`);
  }

  #tell() {
    const on = this.#audio !== null && !this.#audio.paused;
    const label = t(on ? "dialog.sound.pause" : "dialog.sound.play");
    this.toggle.setAttribute("aria-label", label);
    this.toggle.title = label;
    fill(this.toggle, icon(on ? "pause" : "play"));
  }

  #broken(reason) {
    const saver = button({
      label: t("dialog.media.save"),
      text: true,
      class: "link",
      onclick: () => save(this.message).catch(() => {}),
    });
    fill(this.trouble, icon("info"), el("span", {}, reason), " ", saver);
    this.trouble.hidden = false;
    this.#tell();
  }

  // --- drawing -----------------------------------------------------------------------------------------------------
  /** @param {number[]} levels from 0 to 255 */
  #draw(levels) {
    const bars = Array.from({ length: BARS }, (_, at) => {
      if (levels.length === 0) return 0.08;
      const from = Math.floor((at * levels.length) / BARS);
      const to = Math.max(from + 1, Math.floor(((at + 1) * levels.length) / BARS));
      return Math.max(0.08, Math.max(...levels.slice(from, to)) / 255);
    });
    const path = bars
      .map((level, at) => `M${at * 4 + 2} ${(16 - level * 14).toFixed(1)}V${(16 + level * 14).toFixed(1)}`)
      .join("");
    const drawing = (name) =>
      svg("svg", { viewBox: `0 0 ${BARS * 4} 32`, preserveAspectRatio: "none", class: name }, svg("path", { d: path }));
    fill(this.wave, drawing("wave-all"), drawing("wave-heard"));
  }

  /** The levels of a sound whose sender gave none. */
  async #listen(path) {
    try {
      const context = new OfflineAudioContext(1, 8_000, 8_000);
      const sound = await context.decodeAudioData(await (await fetch(path)).arrayBuffer());
      const samples = sound.getChannelData(0);
      const each = Math.max(1, Math.floor(samples.length / BARS));
      const peaks = Array.from({ length: BARS }, (_, bar) => {
        let peak = 0;
        for (let at = bar * each; at < (bar + 1) * each && at < samples.length; at += 1)
          peak = Math.max(peak, Math.abs(samples[at]));
        return peak;
      });
      const loudest = Math.max(...peaks, 0.01);
      this.#draw(peaks.map((peak) => (peak / loudest) * 255));
    } catch {
      // A drawing; it plays all the same.
    }
  }
}

customElements.define("ll-sound", Sound);
