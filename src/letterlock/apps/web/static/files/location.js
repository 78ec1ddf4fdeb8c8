/**
 * Places: the card of a message, and sending one's own.
 *
 * Rules: no map is fetched, because whoever serves maps would learn the place (SR-14). What is drawn is to scale: the
 * lines of latitude and longitude around it, the circle that its sender gave, a bar for the distance. "Open in maps"
 * hands a geo: link to the system, on a click alone.
 */

import { chatName, chatOf } from "../daemon/about.js";
import { rpc } from "../daemon/api.js";
import { Dialog, field } from "../base/dialog.js";
import { View, bdi, button, el, fill, svg } from "../base/dom.js";
import { decided } from "../trust/deciding.js";
import { t } from "../base/strings.js";

const SIZE = 220;
const METRES_OF_A_DEGREE = 111_320;
const STEPS = [1, 2, 5];

/** Placed with `message`. */
export class Place extends View {
  #message = /** @type {any} */ (null);

  get message() {
    return this.#message;
  }

  set message(message) {
    const before = JSON.stringify(this.#message?.location);
    this.#message = message;
    if (this.isConnected && before !== JSON.stringify(message?.location)) this.connected();
  }

  connected() {
    if (!this.#message?.location) return;
    const { latitude, longitude, label, radius } = this.#message.location;
    const words = coordinates(latitude, longitude);
    const where = `geo:${latitude.toFixed(6)},${longitude.toFixed(6)}${radius > 0 ? `;u=${Math.round(radius)}` : ""}`;
    fill(
      this,
      el(
        "figure",
        { class: "place" },
        drawing(latitude, longitude, radius),
        el(
          "figcaption",
          {},
          label && el("strong", {}, bdi(label)),
          el("span", { class: "place-at", dir: "ltr" }, words),
          radius > 0 && el("span", { class: "faint" }, t("dialog.place.within", { distance: distance(radius) })),
          el("a", { href: where, rel: "noreferrer noopener", class: "place-open" }, t("dialog.place.open")),
        ),
      ),
    );
  }
}

customElements.define("ll-location", Place);

/** `48.858370° N, 2.294481° E` */
export function coordinates(latitude, longitude) {
  const part = (value, positive, negative) => `${Math.abs(value).toFixed(6)}° ${value < 0 ? negative : positive}`;
  return `${part(latitude, "N", "S")}, ${part(longitude, "E", "W")}`;
}

function distance(metres) {
  return metres < 1000
    ? t("dialog.place.metres", { count: Math.round(metres) })
    : t("dialog.place.kilometres", { count: Math.round(metres / 100) / 10 });
}

/** One, two or five times a power of ten, not above what is asked for. */
function round(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return STEPS.reduce((best, step) => (step * power <= most ? step * power : best), power);
}

/** What lies around a place, to scale, without any map. */
function drawing(latitude, longitude, radius) {
  const across = Math.max(400, radius * 2.8); // metres from side to side
  const scale = SIZE / across;
  const perLongitude = METRES_OF_A_DEGREE * Math.max(0.02, Math.cos((latitude * Math.PI) / 180));
  const middle = SIZE / 2;
  const lines = [];
  const step = round(across / METRES_OF_A_DEGREE / 2);
  const grid = (value, metresOfADegree, vertical) => {
    const wide = vertical ? round(across / metresOfADegree / 2) : step;
    for (
      let line = Math.ceil((value - across / metresOfADegree) / wide) * wide;
      line <= value + across / metresOfADegree;
      line += wide
    ) {
      const at = middle + (vertical ? 1 : -1) * (line - value) * metresOfADegree * scale;
      if (at < 0 || at > SIZE) continue;
      lines.push(
        svg("path", {
          class: "place-line",
          d: vertical ? `M${at.toFixed(1)} 0V${SIZE}` : `M0 ${at.toFixed(1)}H${SIZE}`,
        }),
      );
    }
  };
  grid(latitude, METRES_OF_A_DEGREE, false);
  grid(longitude, perLongitude, true);
  const bar = round(across / 3);
  return svg(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE * 0.7}`, class: "place-drawing", "aria-hidden": "true", direction: "ltr" },
    svg(
      "g",
      { transform: `translate(0 ${-SIZE * 0.15})` },
      ...lines,
      ...(radius > 0
        ? [svg("circle", { class: "place-circle", cx: middle, cy: middle, r: Math.max(4, radius * scale) })]
        : []),
      svg("path", { class: "place-pin", d: `M${middle} ${middle}c-7-9-11-14-11-20a11 11 0 0 1 22 0c0 6-4 11-11 20z` }),
      svg("circle", { class: "place-pin-hole", cx: middle, cy: middle - 20, r: 4 }),
      svg("path", { class: "place-bar", d: `M12 ${SIZE * 0.8}v4h${(bar * scale).toFixed(1)}v-4` }),
      svg("text", { class: "place-text", x: 12, y: SIZE * 0.8 - 5 }, distance(bar)),
      svg("path", { class: "place-needle", d: `M${SIZE - 20} 62l5-18 5 18-5-4z` }),
      svg("text", { class: "place-text", x: SIZE - 15, y: 76, "text-anchor": "middle" }, t("dialog.place.north")),
    ),
  );
}

/**
 * Sending a place: where this device is, or what is typed. Presented with `chat`; its result is `{message_id}`, or
 * null.
 */
export class SendPlace extends Dialog {
  /** @type {string} */ allow = "";

  build() {
    this.name = t("dialog.place.name");
    const at = field({
      label: t("dialog.place.at"),
      note: t("dialog.place.at-note"),
      autocomplete: "off",
      dir: "ltr",
      inputMode: "text",
    });
    const label = field({ label: t("dialog.place.label"), autocomplete: "off", maxLength: 200, dir: "auto" });
    const radius = field({
      label: t("dialog.place.radius"),
      type: "number",
      min: 0,
      max: 100_000,
      step: 1,
      value: "",
      dir: "ltr",
    });
    this.at = at.input;
    this.label = label.input;
    this.radius = radius.input;
    this.said = el("p", { role: "status", class: "dialog-said" });
    fill(
      this.body,
      button({
        label: t("dialog.place.here"),
        icon: "location",
        text: true,
        class: "choice",
        onclick: () => this.#here(),
      }),
      this.said,
      el(
        "form",
        { onsubmit: (event) => (event.preventDefault(), this.run(() => this.#send())) },
        at.row,
        label.row,
        radius.row,
        el("button", { type: "submit", hidden: true }),
      ),
    );
    const plain = chatOf(this.chat).security?.composer === "plain";
    this.actions([
      { label: t("dialog.cancel") },
      { label: t(plain ? "dialog.place.send-plain" : "dialog.place.send"), kind: "primary", act: () => this.#send() },
    ]);
  }

  get start() {
    return this.body.querySelector("button");
  }

  async #here() {
    this.said.textContent = t("dialog.place.asking");
    if (!navigator.geolocation) return void (this.said.textContent = t("dialog.place.unknown"));
    try {
      const { coords } = await new Promise((resolve, reject) =>
        navigator.geolocation.getCurrentPosition(resolve, reject, {
          enableHighAccuracy: true,
          timeout: 20_000,
          maximumAge: 60_000,
        }),
      );
      this.at.value = `${coords.latitude.toFixed(6)}, ${coords.longitude.toFixed(6)}`;
      this.radius.value = String(Math.round(coords.accuracy));
      this.said.textContent = t("dialog.place.found", { distance: distance(coords.accuracy) });
    } catch (error) {
      this.said.textContent = t(error.code === 1 ? "dialog.place.refused" : "dialog.place.unknown");
    }
  }

  async #send() {
    const place = placeIn(this.at.value);
    this.at.setAttribute("aria-invalid", String(!place));
    if (!place) {
      this.at.focus();
      throw new Error(t("dialog.place.at-note"));
    }
    const label = this.label.value.trim();
    const radius = Number(this.radius.value) || 0;
    const said = { chat: chatName(this.chat), ...place, ...(label && { label }), ...(radius > 0 && { radius }) };
    this.close(await decided(this.chat, (allow) => rpc("location", { ...said, ...(allow && { allow }) }), this.allow));
  }
}

customElements.define("ll-send-place", SendPlace);

/** Two numbers of degrees, as people copy them from elsewhere; null where they are none. @param {string} text */
export function placeIn(text) {
  const found =
    /^\s*(?:geo:)?\s*([+-]?\d{1,3}(?:\.\d+)?)\s*°?\s*([NS])?\s*[,;\s]\s*([+-]?\d{1,3}(?:\.\d+)?)\s*°?\s*([EW])?\s*(?:[;?].*)?$/i.exec(
      text,
    );
  if (!found) return null;
  const latitude = Number(found[1]) * (/s/i.test(found[2] ?? "") ? -1 : 1);
  const longitude = Number(found[3]) * (/w/i.test(found[4] ?? "") ? -1 : 1);
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : null;
}
