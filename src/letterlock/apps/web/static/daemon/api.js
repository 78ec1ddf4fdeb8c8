// Talking to the daemon: JSON-RPC with typed errors, and uploads with progress. Events are in stream.js.

import { currentProof } from "./proof.js";

let next = 1;

/** What the daemon phrases, states, refusals, notices, is in the language of the page. */
const locale = () => document.documentElement.lang;

/**
 * What a method came to, or why the daemon could not be asked. `code` is stable (`input.number`), `exit` its family.
 */
export class RpcError extends Error {
  /** @param {{message: string, code?: string, family?: string, exit?: number, hint?: string, data?: any}} what */
  constructor({ message, code = "bug", family = "Bug", exit = 2, hint = "", data = {} }) {
    super(message);
    this.name = "RpcError";
    /** A stable code, for example `input.number`; `daemon.unreachable` and `daemon.session` are the page's own. */
    this.code = code;
    /** The class of letterlock.errors: `NotEncrypted`, `TrustRequired`, `InputError` ... */
    this.family = family;
    /** 1 input, 2 bug, 3 network or store, 4 trust, 5 rate, 7 not encrypted. */
    this.exit = exit;
    this.hint = hint;
    /** The rest: `reason`, `label`, `sentence`, `options`. */
    this.data = data;
  }

  get notEncrypted() {
    return this.exit === 7;
  }

  get needsTrust() {
    return this.exit === 4;
  }

  get unreachable() {
    return this.code === "daemon.unreachable";
  }

  get sessionEnded() {
    return this.code === "daemon.session";
  }
}

/**
 * Ask the daemon. Raises RpcError.
 * @param {string} method for example `messages`
 * @param {object} [params]
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function rpc(method, params = {}, { signal } = {}) {
  const id = next++;
  let response;
  try {
    response = await fetch(`/api/v1/rpc?locale=${encodeURIComponent(locale())}`, {
      method: "POST",
      headers: { "content-type": "application/json", "letterlock-proof": currentProof() },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (response.status === 401 || response.status === 403) throw sessionEnded();
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw unreachable();
  }
  if (answer.error) throw refusal(answer.error);
  return answer.result;
}

/**
 * Give a file to the daemon, which seals and sends it. Raises RpcError; an aborted one has the code `upload.cancelled`.
 * @param {string} chat
 * @param {Blob} file
 * @param {{name?: string, type?: string, allow?: string, reply_to?: string, text?: string, signal?: AbortSignal,
 *   onprogress?: (done: number, size: number) => void}} [options] `text` is sent behind the file; progress is of the way
 *   to the daemon alone
 * @returns {Promise<{transfer: string, message_id: string}>}
 */
export function upload(chat, file, options = {}) {
  const { signal, onprogress, name = file.name ?? "", type = file.type, text = "", ...rest } = options;
  const query = new URLSearchParams({ chat, name, type, locale: locale() });
  // The text goes before the file, in the same body.
  const before = new Blob([text]);
  if (before.size) query.set("text_bytes", String(before.size));
  for (const [key, value] of Object.entries(rest)) if (value) query.set(key, value);
  // fetch cannot tell how far an upload is.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.open("POST", `/api/v1/files?${query}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("letterlock-proof", currentProof());
    request.responseType = "json";
    request.upload.onprogress = (event) => onprogress?.(event.loaded, event.total);
    request.onerror = () => reject(unreachable());
    request.onabort = () =>
      reject(new RpcError({ message: "cancelled", code: "upload.cancelled", family: "", exit: 0 }));
    request.onload = () => {
      const answer = request.response ?? {};
      if (request.status === 401 || (request.status === 403 && !answer.error)) reject(sessionEnded());
      else if (answer.error) reject(refusal(answer.error));
      else if (request.status >= 400) reject(refusal({ message: `${request.status} ${request.statusText}` }));
      else resolve(answer.result ?? answer);
    };
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(before.size ? new Blob([before, file]) : file);
  });
}

/** End this browser's session, in all its tabs. Raises RpcError. */
export async function logout() {
  let response;
  try {
    response = await fetch("/api/v1/logout", {
      method: "POST",
      headers: { "letterlock-proof": currentProof() },
      credentials: "same-origin",
    });
  } catch {
    throw unreachable();
  }
  if (response.status >= 500) throw refusal({ message: `${response.status} ${response.statusText}` });
}

/** The `error` of an answer. @returns {RpcError} */
export function refusal({ message = "", data = {} }) {
  const { class: family, code, exit, hint, ...rest } = data;
  return new RpcError({ message, family, code, exit, hint, data: rest });
}

function unreachable() {
  return new RpcError({ message: "", code: "daemon.unreachable", family: "ConnectionLost", exit: 3 });
}

function sessionEnded() {
  return new RpcError({ message: "", code: "daemon.session", family: "ConnectionLost", exit: 3 });
}
