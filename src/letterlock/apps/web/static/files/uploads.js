/**
 * Files on their way: from this page to the daemon, sealed there, and on to the content server.
 *
 * Those of one chat go one after another. Once a file is with the daemon, the daemon's list says how it stands, to every
 * page: one that was reloaded goes on showing it, and so does a second one. A file that was refused, or has failed, stays
 * with its reason until it is tried again or removed. When it is through, its message stands in the conversation and it
 * is gone from here. The elements that show all this are in upload-list.js.
 */

import { chatName } from "../daemon/about.js";
import { RpcError, refusal, rpc, upload } from "../daemon/api.js";
import { announce } from "../base/announce.js";
import { decided } from "../trust/deciding.js";
import { reasonOf } from "../base/dialog.js";
import { store } from "../daemon/store.js";
import { t } from "../base/strings.js";

/**
 * @typedef {object} Upload
 * @property {string} chat
 * @property {File|Blob|null} file null: another page gave it to the daemon, or this one before it was reloaded
 * @property {string} name
 * @property {string} text what is sent behind it
 * @property {any} reply the message that it answers
 * @property {{allow: string}} batch the decision that was made for those that were chosen together
 * @property {"queued"|"giving"|"sealing"|"moving"|"failed"} stage
 * @property {number} done
 * @property {number} size
 * @property {string} reason why it failed
 * @property {string} transfer its name at the daemon, once it is there
 * @property {string} message_id of the message that it will be, whoever gives it
 * @property {boolean} lost given to the daemon, which may have it, and may have sent it: its answer did not come
 * @property {boolean} resumable whether the daemon can go on with what it has
 * @property {AbortController} life
 */

/** @type {Set<Upload>} */
const uploads = new Set();
/** Says `change` (detail: the Upload). */
export const news = new EventTarget();
/** @type {Map<string, Promise<void>>} the last one of each chat */
const queues = new Map();
/** @type {Set<Promise<unknown>>} what is being given to the daemon, and has no name there yet as far as we know */
const giving = new Set();
/** @type {Set<string>} transfers that are over: a list that was asked for before may still have them */
const settled = new Set();
/** @type {Set<string>} messages that were given up before the daemon said that it has their files */
const withdrawn = new Set();
const MOST_SETTLED = 500;
/** After what was asked in vain. */
const PAUSE_MS = 1_000;
/** What cannot be sent in the form in which it lies at the server. */
const OTHER_FORM = new Set(["input.file_sealed", "input.file_encrypted"]);

/** Those of a chat, in their order. @param {string} chat @returns {Upload[]} */
export function uploadsOf(chat) {
  return [...uploads].filter((one) => one.chat === chat);
}

/**
 * Send a file when those before it are on their way.
 * @param {any} chat @param {File|Blob} file
 * @param {{name?: string, allow?: string, reply?: any, text?: string, batch?: {allow: string}}} [options]
 */
export function begin(chat, file, { name, allow = "", reply = null, text = "", batch = { allow } } = {}) {
  const one = made({ chat: chatName(chat), file, name: name ?? /** @type {File} */ (file).name ?? "", text, reply, batch });
  uploads.add(one);
  tell(one);
  enqueue(one);
  return one;
}

/** @returns {Upload} */
function made(what) {
  return {
    ...{ file: null, text: "", reply: null, batch: { allow: "" }, stage: "queued", done: 0, reason: "", transfer: "" },
    // Its message has its id before anybody has the file: given again after an answer was lost, it is sent once.
    ...{ message_id: crypto.randomUUID(), life: new AbortController(), size: what.file?.size ?? 0 },
    ...{ lost: false, resumable: false },
    ...what,
  };
}

function enqueue(one) {
  queues.set(
    one.chat,
    (queues.get(one.chat) ?? Promise.resolve()).then(() => give(one)),
  );
}

async function give(one) {
  if (!uploads.has(one)) return;
  Object.assign(one, { stage: "giving", lost: false, done: 0, size: one.file.size });
  Object.assign(one, { reason: "", life: new AbortController() });
  tell(one);
  const send = (allow) => {
    one.batch.allow = allow;
    return given(one, allow);
  };
  try {
    try {
      await decided(one.chat, send, one.batch.allow);
    } catch (error) {
      // What was decided for the file before it has changed the chat by now.
      if (error.code !== "input.allow" || !one.batch.allow) throw error;
      await decided(one.chat, send);
    }
    Object.assign(one, { stage: "sealing", done: 0 });
    heard(one, store.transfers.get(one.transfer));
    if (settled.has(one.transfer)) drop(one);
    else tell(one);
  } catch (error) {
    if (error instanceof RpcError && error.code === "upload.cancelled") return drop(one);
    // The daemon has it, or has sent it: only its answer was lost.
    one.lost = error.unreachable || error.code === "input.message_id_used";
    if (error.unreachable) failed(one, t("page.trouble.daemon.unreachable"), false);
    else if (!one.lost) failed(one, reasonOf(error, one.chat), false);
    if (one.lost) await look();
  }
}

async function given(one, allow) {
  // A message that is answered at once may itself be on its way still.
  const reply_to = one.reply ? await store.idOf(one.reply) : "";
  const asked = upload(one.chat, one.file, {
    ...{ name: one.name, type: one.file.type, text: one.text, message_id: one.message_id },
    ...{ reply_to, allow, signal: one.life.signal },
    onprogress: (done, size) => (Object.assign(one, { done, size }), tell(one)),
  }).then(({ transfer }) => void Object.assign(one, { transfer }));
  giving.add(asked);
  try {
    await asked;
  } finally {
    giving.delete(asked);
  }
}

/** An event of the daemon about the transfer of one. */
function heard(one, event) {
  if (!event) return;
  if (event.state === "cancelled") return drop(one);
  if (event.state === "failed" || event.state === "interrupted") return void look();
  // The file is there; its message may still be refused, and the daemon's list says so.
  const done = event.state === "done";
  Object.assign(one, { stage: !done && event.stage === "sealing" ? "sealing" : "moving", size: event.size ?? one.size });
  Object.assign(one, { done: done ? one.size : event.done });
  tell(one);
}

function failed(one, reason, resumable) {
  if (!uploads.has(one)) return;
  const before = one.stage === "failed" && one.reason === reason;
  Object.assign(one, { stage: "failed", reason, resumable });
  if (!before) announce(t("dialog.upload.failed-spoken", { name: one.name, reason }));
  tell(one);
}

function drop(one) {
  uploads.delete(one);
  settle(one.transfer);
  tell(one);
}

function settle(transfer) {
  if (!transfer) return;
  settled.add(transfer);
  if (settled.size > MOST_SETTLED) settled.delete(settled.values().next().value);
}

/** Stop it, or remove it after it has failed. Resolves to the text that would have been sent behind it. */
export async function cancel(one) {
  const { transfer } = one;
  if (!transfer && (one.lost || one.stage === "giving")) withdrawn.add(one.message_id);
  one.life.abort();
  drop(one);
  if (!transfer) return one.text;
  // What the daemon does not have any more was sent this very moment, and the text with it.
  return rpc("upload.remove", { upload: transfer }).then(
    () => one.text,
    () => "",
  );
}

/** Whether it can be tried again: with what the daemon has of it, or with the file itself. @param {Upload} one */
export function repeatable(one) {
  return one.resumable || one.file !== null;
}

export async function again(one) {
  if (!one.resumable) return anew(one);
  Object.assign(one, { stage: "moving", reason: "" });
  tell(one);
  const once = (allow) => rpc("upload.again", { upload: one.transfer, ...(allow && { allow }) });
  try {
    await decided(one.chat, once);
  } catch (error) {
    if (OTHER_FORM.has(error.code) && one.file) return anew(one);
    // An answer that was lost says nothing of what became of it.
    if (error.unreachable) failed(one, reasonOf(error, one.chat), true);
    else await look();
  }
}

async function anew(one) {
  const { transfer } = one;
  Object.assign(one, { stage: "queued", reason: "", transfer: "", resumable: false });
  tell(one);
  settle(transfer);
  // What the daemon has of it would stay in the list; that it has nothing is as well.
  if (transfer) await rpc("upload.remove", { upload: transfer }).catch(() => {});
  enqueue(one);
}

// --- what the daemon says --------------------------------------------------------------------------------------------
let looking = false;
let lookAgain = false;

/** Ask the daemon for its list. Several reasons to ask at once are one. */
async function look() {
  lookAgain = true;
  if (looking) return;
  looking = true;
  try {
    while (lookAgain) {
      lookAgain = false;
      await compare();
    }
  } catch (error) {
    // It is asked again when the stream is back; where that never broke, after a while.
    if (error.unreachable && store.connection === "live") setTimeout(look, PAUSE_MS);
  } finally {
    looking = false;
  }
}

async function compare() {
  const ours = [...uploads].filter(({ transfer, lost }) => transfer !== "" || lost);
  const listed = new Map((await rpc("uploads")).map((record) => [record.transfer, record]));
  const known = new Set([...listed.values()].map((record) => record.message_id));
  for (const one of ours) {
    if (!uploads.has(one)) continue;
    const record = listed.get(one.transfer);
    if (record) take(one, record);
    else if (!known.has(one.message_id)) await vanished(one);
  }
  // One that is being given now may be in the list, and is ours as soon as its answer is there.
  await Promise.allSettled(giving);
  for (const record of listed.values()) {
    const { transfer, message_id, chat, name, text, size } = record;
    let one = [...uploads].find((other) => other.message_id === message_id);
    if (one?.transfer === transfer || settled.has(transfer)) continue;
    if (withdrawn.has(message_id)) {
      await rpc("upload.remove", { upload: transfer }).catch(() => {});
      continue;
    }
    one ??= made({ message_id, chat, name, text, size });
    Object.assign(one, { transfer, lost: false, stage: "moving" });
    uploads.add(one);
    take(one, record);
  }
}

function take(one, record) {
  if (record.error) return failed(one, reasonOf(refusal(record.error), one.chat), record.resumable);
  heard(one, { ...record, size: record.total });
}

/** The daemon does not have it any more: it was sent, or a daemon that was started again knows nothing of it. */
async function vanished(one) {
  if (one.stage === "failed" && !one.resumable && !one.lost) return;
  const { chat, message_id } = one;
  const near = await rpc("messages", { chat, around: message_id, limit: 1 }).catch((error) => {
    if (error.unreachable) throw error;
    return { messages: [] };
  });
  if (near.messages.some((message) => message.message_id === message_id)) return drop(one);
  // It may be on its way to the list yet; that the daemon did not answer is said already.
  if (one.lost && one.stage === "failed") return;
  one.transfer = "";
  failed(one, [t("dialog.upload.failed"), one.file ? "" : t("dialog.upload.choose")].filter(Boolean).join(" "), false);
}

// What has not come to the daemon would end with the page: the browser asks.
window.addEventListener("beforeunload", (event) => {
  if ([...uploads].some(({ transfer, file }) => transfer === "" && file)) event.preventDefault();
});

store.addEventListener("transfers", ({ detail: { transfer } }) => {
  const event = store.transfers.get(transfer);
  for (const one of uploads) if (one.transfer === transfer) heard(one, event);
});

store.stream.addEventListener("upload", ({ detail: { transfer, state, message_id } }) => {
  // One that has begun may be another page's.
  if (state === "begun" || state === "refused") return void look();
  withdrawn.delete(message_id);
  settle(transfer);
  for (const one of uploads) if (one.transfer === transfer || one.message_id === message_id) drop(one);
});

// What the daemon said while nobody listened it does not say again.
store.addEventListener("connection", () => store.connection === "live" && look());
if (store.connection === "live") look();

function tell(one) {
  news.dispatchEvent(new CustomEvent("change", { detail: one }));
}
