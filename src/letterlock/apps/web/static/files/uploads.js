/**
 * Files on their way: from this page to the daemon, sealed there, and on to the content server.
 *
 * Those of one chat go one after another. Each shows how far it is and can be cancelled; one that failed says why and
 * can be tried again from where it was. When a file is through, its message stands in the conversation and it is gone
 * from here.
 */

import { chatName } from "../daemon/about.js";
import { RpcError, rpc, upload } from "../daemon/api.js";
import { announce } from "../base/announce.js";
import { decided } from "../trust/deciding.js";
import { reasonOf } from "../base/dialog.js";
import { View, bdi, button, el, fill, icon } from "../base/dom.js";
import { store } from "../daemon/store.js";
import { bytesOf, t } from "../base/strings.js";

/**
 * @typedef {object} Upload
 * @property {string} chat
 * @property {File|Blob} file
 * @property {string} name
 * @property {{allow?: string}} options
 * @property {"queued"|"giving"|"sealing"|"moving"|"failed"} stage
 * @property {number} done
 * @property {number} size
 * @property {string} reason why it failed
 * @property {string} transfer its name at the daemon, once it is there
 * @property {boolean} resumable
 * @property {AbortController} life
 */

/** @type {Set<Upload>} */
const uploads = new Set();
const news = new EventTarget();
/** @type {Map<string, Promise<void>>} the last one of each chat */
const queues = new Map();
/** @type {Map<string, any>} what was heard of a transfer before the answer said that it is ours */
const outcomes = new Map();
const MOST_OUTCOMES = 50;

/**
 * Send a file when those before it are on their way.
 * @param {any} chat @param {File|Blob} file @param {{allow?: string, name?: string}} [options]
 */
export function begin(chat, file, { name = /** @type {File} */ (file).name ?? "", ...options } = {}) {
  const one = {
    ...{ chat: chatName(chat), file, name, options, stage: "queued", done: 0, size: file.size },
    ...{ reason: "", transfer: "", resumable: false, life: new AbortController() },
  };
  uploads.add(one);
  tell(one);
  enqueue(one);
  return one;
}

function enqueue(one) {
  queues.set(
    one.chat,
    (queues.get(one.chat) ?? Promise.resolve()).then(() => give(one)),
  );
}

async function give(one) {
  if (!uploads.has(one)) return;
  Object.assign(one, { stage: "giving", done: 0, size: one.file.size, reason: "", life: new AbortController() });
  tell(one);
  const send = (allow) =>
    upload(one.chat, one.file, {
      name: one.name,
      type: one.file.type,
      ...one.options,
      ...(allow && { allow }),
      signal: one.life.signal,
      onprogress: (done, size) => (Object.assign(one, { done, size }), tell(one)),
    });
  try {
    const { transfer } = await decided(one.chat, send, one.options.allow);
    Object.assign(one, { transfer, stage: "sealing", done: 0 });
    heard(one, store.transfers.get(transfer));
    settle(one);
    tell(one);
  } catch (error) {
    if (error instanceof RpcError && error.code === "upload.cancelled") drop(one);
    else failed(one, reasonOf(error, one.chat), false);
  }
}

/** An event of the daemon about one of ours. */
function heard(one, event) {
  if (!event) return;
  // The file is there; its message may still be refused, and says so itself (`upload`).
  if (event.state === "done") return void (Object.assign(one, { stage: "moving", done: one.size }), tell(one));
  if (event.state === "cancelled") return drop(one);
  if (event.state === "failed" || event.state === "interrupted") return void explain(one);
  Object.assign(one, {
    stage: event.stage === "sealing" ? "sealing" : "moving",
    done: event.done,
    size: event.size ?? one.size,
  });
  tell(one);
}

/** The words for why it failed stand in the list of transfers. */
async function explain(one) {
  try {
    const found = (await rpc("transfers")).find((other) => other.transfer === one.transfer);
    failed(one, found ? reasonOf(found) : t("dialog.upload.failed"), found?.resumable ?? false);
  } catch (error) {
    failed(one, reasonOf(error), true);
  }
}

function failed(one, reason, resumable) {
  Object.assign(one, { stage: "failed", reason, resumable });
  announce(t("dialog.upload.failed-spoken", { name: one.name, reason }));
  tell(one);
}

function drop(one) {
  uploads.delete(one);
  tell(one);
}

async function cancel(one) {
  one.life.abort();
  const { transfer } = one;
  drop(one);
  if (transfer) await rpc("transfer.cancel", { transfer }).catch(() => {});
}

async function again(one) {
  if (!one.resumable) {
    one.transfer = "";
    Object.assign(one, { stage: "queued", reason: "" });
    tell(one);
    return enqueue(one);
  }
  Object.assign(one, { stage: "moving", reason: "" });
  tell(one);
  try {
    await rpc("transfer.resume", { transfer: one.transfer });
  } catch (error) {
    failed(one, reasonOf(error), false);
  }
}

// What has not come to the daemon would end with the page: the browser asks.
window.addEventListener("beforeunload", (event) => {
  if ([...uploads].some(({ transfer }) => transfer === "")) event.preventDefault();
});

store.addEventListener("transfers", ({ detail }) => {
  for (const one of uploads) if (one.transfer === detail.transfer) heard(one, store.transfers.get(detail.transfer));
});

store.stream.addEventListener("upload", ({ detail }) => {
  outcomes.set(detail.transfer, detail);
  if (outcomes.size > MOST_OUTCOMES) outcomes.delete(outcomes.keys().next().value);
  for (const one of uploads) if (one.transfer === detail.transfer) settle(one);
});

// After a break what became of them is asked for: what the daemon said meanwhile, it does not say again.
store.addEventListener("connection", () => store.connection === "live" && heal());

async function heal() {
  const given = [...uploads].filter(({ transfer, stage }) => transfer !== "" && stage !== "failed");
  if (given.length === 0) return;
  const known = await rpc("transfers").catch(() => null);
  for (const one of known ? given : []) {
    const found = known.find(({ transfer }) => transfer === one.transfer);
    if (found?.state === "done") drop(one);
    else if (found?.state === "failed" || found?.state === "interrupted") failed(one, reasonOf(found), found.resumable);
    // A daemon that was started again keeps nothing of what was not done.
    else if (!found || found.state === "cancelled") failed(one, t("dialog.upload.failed"), false);
  }
}

/**
 * What became of the message: it stands in the conversation, or this says why not and what is given again is the file.
 */
function settle(one) {
  const outcome = outcomes.get(one.transfer);
  if (outcome === undefined) return;
  outcomes.delete(one.transfer);
  if (outcome.state === "sent") drop(one);
  else failed(one, reasonOf(new RpcError(outcome), one.chat), false);
}

function tell(one) {
  news.dispatchEvent(new CustomEvent("change", { detail: one }));
}

/** The list above the composer, of one chat. Placed with `chat`. */
export class Uploads extends View {
  #chat = /** @type {any} */ (null);
  /** @type {Map<Upload, {row: HTMLElement, update: () => void}>} */
  #rows = new Map();

  get chat() {
    return this.#chat;
  }

  set chat(chat) {
    this.#chat = chat;
    this.#rows.clear();
    if (this.isConnected) this.render();
  }

  connected() {
    this.listen(news, "change", ({ detail }) => this.#chat && detail.chat === chatName(this.#chat) && this.render());
    fill(this, (this.list = el("ul", { class: "uploads", "aria-label": t("dialog.upload.label") })));
    this.render();
  }

  render() {
    const mine = [...uploads].filter((one) => this.#chat && one.chat === chatName(this.#chat));
    const held = this.contains(document.activeElement);
    for (const [one, { row }] of this.#rows) {
      if (mine.includes(one)) continue;
      row.remove();
      this.#rows.delete(one);
    }
    // Who cancelled one goes on writing; the focus must not fall to the page.
    if (held && !this.contains(document.activeElement)) this.closest("ll-conversation")?.composer?.focusText();
    for (const one of mine) {
      if (!this.#rows.has(one)) {
        const made = rowOf(one);
        this.#rows.set(one, made);
        this.list.append(made.row);
      }
      this.#rows.get(one)?.update();
    }
    this.hidden = mine.length === 0;
  }
}

customElements.define("ll-uploads", Uploads);

/** One line: its parts stay, so that the focus does while numbers change. */
function rowOf(one) {
  const bar = el("progress", { "aria-label": t("dialog.upload.progress", { name: one.name }) });
  const words = el("span", { class: "upload-words" });
  const retry = button({
    label: t("dialog.upload.retry"),
    icon: "retry",
    text: true,
    class: "choice small",
    onclick: () => again(one),
  });
  const stop = button({
    label: t("dialog.upload.cancel", { name: one.name }),
    icon: "close",
    class: "bare",
    onclick: () => cancel(one),
  });
  const row = el(
    "li",
    { class: "upload" },
    icon("file"),
    el(
      "div",
      { class: "upload-middle" },
      el("span", { class: "clip" }, bdi(one.name || t("dialog.upload.unnamed"))),
      bar,
      words,
    ),
    retry,
    stop,
  );
  const update = () => {
    const ended = one.stage === "failed";
    row.classList.toggle("failed", ended);
    bar.hidden = ended;
    retry.hidden = !ended;
    if (one.stage === "queued" || one.size === 0) bar.removeAttribute("value");
    else Object.assign(bar, { max: one.size, value: Math.min(one.done, one.size) });
    words.textContent = ended
      ? one.reason
      : t(`dialog.upload.${one.stage}`, { done: bytesOf(one.done), size: bytesOf(one.size) });
  };
  return { row, update };
}
