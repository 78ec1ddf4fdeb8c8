// Building the page: elements, icons, isolated text, and the base of our custom elements.
// Rules: what a peer wrote only ever becomes a text node (SR-14); nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Build an element: `el("button", { class: "quiet", onclick: f, "aria-label": "Close" }, icon("close"))`.
 * Functions under `on...` become listeners; `dataset` and `class` do what they say; a property that the element has is
 * set as one, anything else becomes an attribute; `false`, `null` and `undefined` set nothing. Strings become text
 * nodes.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|number|null|undefined|false|any[])} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") node.className = value;
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (!name.includes("-") && name in node && name !== "list" && name !== "form") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...nodes(children));
  return node;
}

/** Put these in place of whatever `parent` holds. */
export function fill(parent, ...children) {
  parent.replaceChildren(...nodes(children));
  return parent;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

/**
 * Text of unknown direction among ours: it cannot turn what stands beside it (SR-14).
 * @param {string} text
 */
export function bdi(text, props = {}) {
  return el("bdi", { dir: "auto", ...props }, text);
}

/**
 * A sentence of ours with values of unknown direction in it: `sentence(t("page.replying"), { name: bdi(name) })`, where
 * the text was asked for without values and still has its placeholders.
 * @param {string} text
 * @param {Record<string, Node|string>} values
 * @returns {(Node|string)[]}
 */
export function sentence(text, values) {
  return text.split(/(\{\w+\})/).map((part) => values[part.slice(1, -1)] ?? part);
}

/**
 * A button whose name is its text, or `label` where it shows an icon alone.
 * @param {{label: string, icon?: string, text?: boolean, class?: string, onclick?: (event: Event) => void}} options
 */
export function button({ label, icon: shape, text = !shape, ...props }) {
  const named = text ? {} : { "aria-label": label, title: label };
  return el("button", { type: "button", ...named, ...props }, shape && icon(shape), text && el("span", {}, label));
}

/** Where what lies over the page goes, but for dialogues: in the landmark that holds all of it. */
export const frame = () => document.getElementById("app") ?? document.body;

/** Text that is there for a screen reader alone. */
export function spoken(text) {
  return el("span", { class: "spoken" }, text);
}

// Every icon is drawn on 24 by 24 with a stroke of the text's colour; what is filled says so with `fill:`.
const SHAPES = {
  lock: ["M7 11V8a5 5 0 0 1 10 0v3", "M6 11h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z"],
  "lock-open": ["M7 11V8a5 5 0 0 1 9.6-2", "M6 11h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z"],
  "lock-struck": [
    "M7 11V8a5 5 0 0 1 9.6-2",
    "M6 11h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z",
    "M3 3l18 18",
  ],
  "shield-check": ["M12 3l7.5 2.8v5.6c0 4.6-3 8-7.5 9.6-4.5-1.6-7.5-5-7.5-9.6V5.8z", "M8.5 12l2.5 2.5 4.7-5"],
  info: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z", "M12 11v5.5", "M12 7.6v.1"],
  warning: ["M12 3.5L2.5 20h19z", "M12 10v4.5", "M12 17.2v.1"],
  ring: ["dashed:M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17z"],
  broken: [
    "M6 10V4a1 1 0 0 1 1-1h7l4 4v4",
    "M14 3v4h4",
    "M3.5 13.5l3-1.5 3 2.5 3-2.5 3 2.5 3-2.5 2.5 1.5",
    "M6 17v3a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1v-3",
  ],
  missing: ["dashed:M5 4h14v16H5z", "M12 8v5", "M12 16v.1"],
  send: ["M4 12l16-8-5.5 16-3-6.5z", "M11.5 13.5L20 4"],
  attach: ["M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.7 17a1.7 1.7 0 0 1-2.4-2.4L15 7"],
  mic: ["M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3z", "M6 11.5a6 6 0 0 0 12 0", "M12 17.5V21"],
  emoji: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z", "M8.5 14.5a4 4 0 0 0 7 0", "M9 9.5v.1", "M15 9.5v.1"],
  search: ["M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z", "M16.2 16.2L21 21"],
  back: ["flip:M15 5l-7 7 7 7"],
  forward: ["flip:M9 5l7 7-7 7"],
  up: ["M5 15l7-7 7 7"],
  down: ["M5 9l7 7 7-7"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  more: [
    "fill:M12 6.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM12 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM12 20.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
  ],
  reply: ["flip:M10 6L4 12l6 6", "flip:M4.5 12H13a7 7 0 0 1 7 7"],
  edit: ["M4 20l1-4.5L16.5 4a2.1 2.1 0 0 1 3 3L8 18.5z", "M14.5 6l3.5 3.5"],
  delete: ["M4.5 7h15", "M9 7V4.5h6V7", "M6.5 7l1 13h9l1-13", "M10 11v5.5", "M14 11v5.5"],
  copy: ["M9 9h11v11H9z", "M5.5 15H4V4h11v1.5"],
  check: ["M5 12.5l4.5 4.5L19 7"],
  "check-double": ["M2 12.5l4.5 4.5L15 8", "M11.5 16l1 1L22 7.5"],
  clock: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z", "M12 7v5l3.5 2"],
  retry: ["M20 12a8 8 0 1 1-2.3-5.6", "M20 3v4.5h-4.5"],
  group: [
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
    "M2.5 20a6.5 6.5 0 0 1 13 0",
    "M16 4.3a3.5 3.5 0 0 1 0 6.4",
    "M18 14a6.5 6.5 0 0 1 3.5 6",
  ],
  person: ["M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M4.5 20.5a7.5 7.5 0 0 1 15 0"],
  business: ["M4 20V9l8-5 8 5v11z", "M9.5 20v-6h5v6"],
  plus: ["M12 5v14", "M5 12h14"],
  compose: [
    "M20 12.5V19a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h6.5",
    "M10 14l.6-2.8L18 3.8a1.6 1.6 0 0 1 2.2 2.2l-7.4 7.4z",
  ],
  settings: [
    "M4 7h9M17 7h3M4 17h3M11 17h9",
    "M15 9.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
    "M9 19.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
  ],
  "arrow-down": ["M12 4v15", "M5.5 12.5L12 19l6.5-6.5"],
  play: ["fill:M8 5l11 7-11 7z"],
  pause: ["fill:M7 5h3.5v14H7zM13.5 5H17v14h-3.5z"],
  stop: ["fill:M6 6h12v12H6z"],
  file: ["M7 3h7l5 5v12a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z", "M14 3v5h5"],
  image: ["M4 5h16v14H4z", "M4 16l5-5 4 4 2.5-2.5L20 17", "M15.5 9v.1"],
  video: ["M3.5 6h12v12h-12z", "M15.5 10.5l5-3v9l-5-3"],
  location: ["M12 21s-7-6.3-7-11.5a7 7 0 0 1 14 0C19 14.7 12 21 12 21z", "M12 12a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"],
  camera: ["M4 8h3.5l1.5-2.5h6L16.5 8H20v11H4z", "M12 16.5a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6z"],
  download: ["M12 4v11", "M6.5 10.5L12 16l5.5-5.5", "M4.5 20h15"],
  qr: ["M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4z", "M14 14h2v2M20 14v2.5M14 20h2.5M20 20v.1"],
  key: ["M8 15.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M12 11.5h9v3.5M17.5 11.5V14"],
  sun: [
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z",
    "M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6L7 7M17 17l1.4 1.4M18.4 5.6L17 7M7 17l-1.4 1.4",
  ],
  offline: ["M3 8.5a14 14 0 0 1 18 0", "M6.5 12.5a9 9 0 0 1 11 0", "M12 18v.1", "M3 3l18 18"],
};

/**
 * An icon, hidden from screen readers: the text beside it, or the button's label, is its name.
 * @param {keyof typeof SHAPES | string} name
 */
export function icon(name) {
  const paths = (SHAPES[name] ?? []).map((shape) => {
    const [, mode, line] = /^(?:(fill|dashed|flip):)?(.*)$/s.exec(shape);
    return svg("path", { d: line, ...(mode && { class: mode }) });
  });
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", class: `icon icon-${name}` }, ...paths);
}

/** An element of a drawing. @param {string} name @returns {SVGElement} */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** What our custom elements share: listeners that end with the element, and one `render` for what it shows. */
export class View extends HTMLElement {
  #life = null;

  connectedCallback() {
    this.#life = new AbortController();
    this.connected();
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#life = null;
    this.disconnected();
  }

  /** Comes into the page: build what does not change, subscribe, render. */
  connected() {}

  /** Has left the page; listeners made by `listen` are gone already. */
  disconnected() {}

  /** Ends when the element leaves the page. */
  get life() {
    return this.#life?.signal ?? AbortSignal.abort();
  }

  /**
   * Hear events of the store, the window or an element for as long as this one is in the page.
   * @param {EventTarget} target
   * @param {string} type
   * @param {(event: any) => void} heard
   */
  listen(target, type, heard, options = {}) {
    target.addEventListener(type, heard, { ...options, signal: this.life });
  }
}
