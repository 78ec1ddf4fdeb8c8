/** Sending something that may be refused because it would not be encrypted: then the user is asked, and it is sent or not. */

import { present } from "../base/elements.js";

/**
 * Try it; where it is refused, ask what to do. Raises what else goes wrong, and the refusal itself when nothing was chosen.
 * @template T
 * @param {any} chat
 * @param {(allow: string) => Promise<T>} send
 * @param {string} [allow] a decision that was made already
 * @returns {Promise<T>}
 */
export async function decided(chat, send, allow = "") {
  try {
    return await send(allow);
  } catch (error) {
    if (!error.notEncrypted || !error.data?.options?.length) throw error;
    const chosen = await present("ll-fallback", { chat, error, waiting: 0 });
    if (!chosen) throw error;
    return send(chosen.allow ?? "");
  }
}
