// How elements that are not needed at first come into the page. Which there are is said by whoever knows their modules,
// above all rooms (`../elements.js`): nothing here imports what it puts into the page.

import { el } from "./dom.js";
import { t } from "./strings.js";
import { toast } from "./toast.js";

const RETRY = 2000;

/** @type {Record<string, () => Promise<unknown>>} */
let modules = {};

/** Say which module has which element, once, before anything is placed. @param {typeof modules} known */
export function declare(known) {
  modules = known;
}

/**
 * An element at once; what it shows comes as soon as its module is there. `props` are set before it is upgraded in the
 * page, so `connected()` finds them.
 * @param {string} name
 * @param {Record<string, any>} [props]
 */
export function place(name, props = {}) {
  if (customElements.get(name)) return Object.assign(el(name), props);
  const holder = el("span", { class: "placed" });
  const there = eventually(modules[name], () => holder.isConnected);
  there.then((found) => found && holder.replaceWith(Object.assign(el(name), props)));
  return holder;
}

/**
 * A module that the page cannot do without: while the daemon is away it is asked for again, as long as it is wanted.
 * @template T
 * @param {() => Promise<T>} load
 * @param {() => boolean} wanted
 * @returns {Promise<T|null>} null: wanted no more
 */
export async function eventually(load, wanted) {
  for (;;) {
    try {
      return await load();
    } catch (error) {
      // What cannot be fetched is a TypeError everywhere; anything else is a defect of the module.
      if (!(error instanceof TypeError)) throw error;
      await new Promise((later) => setTimeout(later, RETRY));
      if (!wanted()) return null;
    }
  }
}

/**
 * Show an element as a dialogue and wait for its answer: the element goes to the end of the page, its `show()` opens
 * it, and its event `closed` (detail: the result, null for Escape) ends it. The focus goes back to where it was.
 * @param {string} name
 * @param {Record<string, any>} [props]
 * @returns {Promise<any>}
 */
export function present(name, props = {}) {
  // Asked for once more before it is there, by a second click, it comes once.
  const same = coming.find((other) => other.name === name && alike(other.props, props));
  if (same) return same.answer;
  const mine = { name, props, answer: shownWhenThere(name, props, () => coming.splice(coming.indexOf(mine), 1)) };
  coming.push(mine);
  return mine.answer;
}

/** @type {{name: string, props: Record<string, any>, answer: Promise<any>}[]} dialogues whose modules are on their way */
const coming = [];

const alike = (one, other) =>
  Object.keys({ ...one, ...other }).every((key) => one[key] === other[key]);

async function shownWhenThere(name, props, there) {
  const before = document.activeElement;
  try {
    await modules[name]();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    toast(t("page.trouble.daemon.unreachable"));
    return null;
  } finally {
    there();
  }
  const shown = Object.assign(el(name), props);
  return new Promise((resolve) => {
    shown.addEventListener(
      "closed",
      (event) => {
        shown.remove();
        if (before instanceof HTMLElement && before.isConnected) before.focus();
        resolve(event.detail ?? null);
      },
      { once: true },
    );
    document.body.append(shown);
    shown.show?.();
  });
}

/** Fetch what the page will need soon, once it has nothing better to do. */
export function preload() {
  const idle = window.requestIdleCallback ?? ((f) => setTimeout(f, 200));
  // What does not come now is asked for again when it is needed.
  idle(() => Object.values(modules).forEach((load) => load().catch(() => {})));
}
