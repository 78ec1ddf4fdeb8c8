/**
 * The settings: how the page looks, which devices there are, what lies in the cache, how this device stands, what is
 * where.
 */

import { chosenLocale, setLocale, setTheme, theme } from "../base/appearance.js";
import { logout, rpc } from "../daemon/api.js";
import { confirm, Dialog, field, reasonOf } from "../base/dialog.js";
import { bdi, button, el, fill, icon } from "../base/dom.js";
import { SHORTCUTS } from "./shortcuts.js";
import { store } from "../daemon/store.js";
import { bytesOf, dayOf, t, timeOf } from "../base/strings.js";

const LOCALES = ["", "en", "ar-XB"];

/** Presented without anything. */
export class Settings extends Dialog {
  build() {
    this.name = t("dialog.settings.name");
    this.frame.classList.add("wide");
    this.me = this.#part("me");
    this.devices = this.#part("devices");
    this.cache = this.#part("cache");
    this.health = this.#part("health");
    fill(this.body, this.me, this.#looks(), this.devices, this.cache, this.health, this.#keys());
    this.actions([{ label: t("dialog.done"), kind: "primary", first: true }]);
    // Each part by itself: that one has no answer does not hide the others.
    this.#load(this.me, () => this.#fillMe());
    this.#load(this.devices, () => this.#fillDevices());
    this.#load(this.cache, () => this.#fillCache());
    this.#load(this.health, () => this.#fillHealth());
  }

  #part(name, ...content) {
    const id = `settings-${name}`;
    return el(
      "section",
      { class: "settings-part", "aria-labelledby": id },
      el("h3", { id }, t(`dialog.settings.${name}`)),
      el("div", { class: "settings-rows" }, content),
    );
  }

  async #load(part, act) {
    const rows = part.querySelector(".settings-rows");
    try {
      fill(rows, await act());
    } catch (error) {
      fill(rows, el("p", { class: "field-note" }, reasonOf(error)));
    }
  }

  // --- parts -------------------------------------------------------------------------------------------------------
  async #fillMe() {
    const { number, name, device, primary, version } = store.me ?? (await rpc("me"));
    const leave = async () => {
      if (await this.run(logout)) location.replace("/"); // where nothing of the chats is any more
    };
    const about = facts([
      ["number", bdi(number, { dir: "ltr" })],
      [
        "this-device",
        [
          bdi(name),
          " ",
          el("span", { class: "faint" }, t(primary ? "dialog.settings.primary" : "dialog.settings.linked", { device })),
        ],
      ],
      ["version", version],
    ]);
    return [about, button({ label: t("dialog.settings.logout"), class: "choice", onclick: leave })];
  }

  #looks() {
    const choice = (value) =>
      el(
        "label",
        { class: "kind" },
        el("input", { type: "radio", name: "theme", checked: theme() === value, onchange: () => setTheme(value) }),
        el("span", {}, t(`dialog.settings.theme-${value}`)),
      );
    const { row, input } = field({
      tag: "select",
      label: t("dialog.settings.locale"),
      note: t("dialog.settings.locale-note"),
      onchange: () => setLocale(input.value),
    });
    fill(
      input,
      LOCALES.map((locale) =>
        el(
          "option",
          { value: locale, selected: locale === chosenLocale() },
          t(`dialog.settings.locale-${locale || "auto"}`),
        ),
      ),
    );
    return this.#part(
      "looks",
      el(
        "fieldset",
        { class: "kinds" },
        el("legend", {}, t("dialog.settings.theme")),
        choice("auto"),
        choice("light"),
        choice("dark"),
      ),
      row,
    );
  }

  async #fillDevices() {
    const devices = await rpc("devices");
    const primary = store.me?.primary;
    return el(
      "ul",
      { class: "settings-list" },
      devices.map((device) =>
        el(
          "li",
          {},
          icon("person"),
          el(
            "div",
            { class: "settings-words" },
            el(
              "span",
              {},
              bdi(device.name || t("dialog.settings.device", { device: device.device })),
              device.this && [" ", el("span", { class: "faint" }, t("dialog.settings.this"))],
            ),
            el("span", { class: "faint" }, t("dialog.settings.added", { day: dayOf(device.added_at) })),
          ),
          primary &&
            !device.this &&
            button({
              label: t("dialog.settings.remove"),
              class: "choice small",
              "aria-label": t("dialog.settings.remove-name", { name: device.name }),
              onclick: () => this.#removeDevice(device),
            }),
        ),
      ),
    );
  }

  async #removeDevice({ device, name }) {
    const sure = await confirm({
      name: t("dialog.settings.remove-title", { name }),
      text: t("dialog.settings.remove-text", { name }),
      yes: t("dialog.settings.remove"),
      danger: true,
    });
    if (!sure) return;
    await this.run(() => rpc("devices.remove", { device }));
    await this.#load(this.devices, () => this.#fillDevices());
  }

  async #fillCache() {
    const { used, budget, files } = await rpc("cache");
    const empty = async () => {
      await this.run(() => rpc("cache.prune", { to: 0 }));
      await this.#load(this.cache, () => this.#fillCache());
      this.cache.querySelector("button")?.focus();
    };
    return [
      el(
        "p",
        {},
        t("dialog.settings.cache-used", { used: bytesOf(used), budget: bytesOf(budget), count: files.length }),
      ),
      el("progress", { max: Math.max(1, budget), value: used, "aria-label": t("dialog.settings.cache") }),
      el("p", { class: "field-note" }, t("dialog.settings.cache-note")),
      button({
        label: t("dialog.settings.prune"),
        class: "choice",
        "aria-disabled": String(used === 0),
        onclick: () => used > 0 && empty(),
      }),
    ];
  }

  async #fillHealth() {
    const found = await rpc("certificate").catch((error) => ({ trouble: reasonOf(error) }));
    const rows = [["connection", t(`dialog.settings.connection-${store.connection}`)]];
    if (found && "ready" in found) {
      rows.push([
        "certificate",
        t(found.ready ? "dialog.settings.certificate-ready" : "dialog.settings.certificate-none"),
      ]);
      if (found.not_after) rows.push(["certificate-until", `${dayOf(found.not_after)}, ${timeOf(found.not_after)}`]);
      rows.push(["packages", String(found.packages)]);
    }
    if (found?.trouble) rows.push(["trouble", found.trouble]);
    const { carried = {} } = store.me ?? {};
    rows.push([
      "carried",
      ["rcs", "sms"]
        .filter((medium) => carried[medium])
        .map((medium) => medium.toUpperCase())
        .join(", ") || t("dialog.settings.carried-none"),
    ]);
    return facts(rows);
  }

  #keys() {
    return this.#part(
      "keys",
      el(
        "dl",
        { class: "keys" },
        SHORTCUTS.flatMap(([keys, name]) => [
          el(
            "dt",
            { dir: "ltr" },
            keys.split(" ").map((key) => el("kbd", {}, key)),
          ),
          el("dd", {}, t(name)),
        ]),
      ),
    );
  }
}

customElements.define("ll-settings", Settings);

function facts(rows) {
  return el(
    "dl",
    { class: "facts" },
    rows.flatMap(([name, value]) => [
      el("dt", {}, t(`dialog.settings.fact-${name}`)),
      el("dd", { dir: "auto" }, value),
    ]),
  );
}
