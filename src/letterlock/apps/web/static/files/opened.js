/**
 * The daemon's address of a received or sent file: unguessable, of this session, decrypted while it is read.
 *
 * Each is asked for once; nothing is fetched that nobody looks at. What a page could run comes with `inline` false, and
 * is only ever saved.
 */

import { rpc } from "../daemon/api.js";
import { el } from "../base/dom.js";

/** @typedef {{path: string, content_type: string, size: number, name: string, inline: boolean,
 *   here: boolean}} Opened `here`: of a film, whether all of it is on this machine already */
/** @type {Map<string, Promise<Opened>>} */
const known = new Map();
const MOST_KNOWN = 500;

/** @param {any} message @param {boolean} [thumbnail] @returns {Promise<Opened>} */
export function opened(message, thumbnail = false) {
  const key = `${message.chat} ${message.message_id} ${thumbnail}`;
  if (!known.has(key)) {
    if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
    const asked = rpc("file.open", {
      chat: message.chat,
      message_id: message.message_id,
      ...(thumbnail && { thumbnail }),
    });
    // What failed may work the next time.
    asked.catch(() => known.delete(key));
    known.set(key, asked);
  }
  return known.get(key);
}

/** Give a file to the browser to be saved, by the name that it may have on a disk. */
export async function save(message) {
  const { path } = await opened(message);
  const link = el("a", { href: path, download: message.file.save_as || "file", rel: "noreferrer" });
  document.body.append(link);
  link.click();
  link.remove();
}

/** Forget an address that the daemon does not know any more, after it began anew. */
export function forget(message) {
  for (const thumbnail of [false, true]) known.delete(`${message.chat} ${message.message_id} ${thumbnail}`);
}
