// Doing something that may be refused because it would not be encrypted: then the user is asked, and it is done or not.

import { present } from "../base/elements.js";

/**
 * Whether a refusal leaves something to decide: to send unencrypted, or, also in a group, to wait for keys.
 * @param {any} error
 */
export function leavesAChoice(error) {
  return error.notEncrypted && (error.data?.options?.length > 0 || error.data?.reason === "no-keys-found");
}

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
    if (!leavesAChoice(error)) throw error;
    const chosen = await present("ll-fallback", { chat, error, waiting: 0 });
    if (!chosen) throw error;
    return send(chosen.allow ?? "");
  }
}

/**
 * Do something that the chat's state may forbid. What would go unencrypted is asked about once, and done only with the
 * option that the user chose (SR-01); where keys have changed the codes come first. Raises what is no decision.
 * @param {string} chat
 * @param {(allowed: {allow?: string}) => Promise<any>} attempt
 * @returns {Promise<{done: boolean, answer?: any}>}
 */
export async function withDecision(chat, attempt) {
  try {
    return { done: true, answer: await attempt({}) };
  } catch (error) {
    if (leavesAChoice(error)) {
      const chosen = await present("ll-fallback", { chat, error, waiting: 0 });
      if (!chosen) return { done: false };
      return { done: true, answer: await attempt(chosen.allow ? { allow: chosen.allow } : {}) };
    }
    if (error.needsTrust) {
      await present("ll-code", { chat });
      return { done: false };
    }
    throw error;
  }
}
