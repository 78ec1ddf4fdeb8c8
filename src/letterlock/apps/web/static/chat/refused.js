// What becomes of a text that was not sent: it is asked about, sent otherwise, or given back.

import { present } from "../base/elements.js";
import { store } from "../daemon/store.js";
import { textOf } from "../base/toast.js";
import { leavesAChoice } from "../trust/deciding.js";

/**
 * What was refused may be a matter of decision; what nobody answered to stays in the conversation, as not sent.
 * @param {string} chat
 * @param {any} error
 * @param {any} message what was written, `unsaved`; or what failed and stands in the history
 * @returns {Promise<{back?: boolean, trouble?: string}>} whether the text goes back to where it was written, and what
 *   is said there
 */
export async function afterRefusal(chat, error, message) {
  if (leavesAChoice(error)) return ask(chat, error, message);
  if (error.needsTrust) {
    await store.refreshChat(chat);
    return { back: true };
  }
  return error.unreachable ? {} : { back: true, trouble: textOf(error) };
}

/** SR-01: asked once; with the option that was chosen it is sent, or waits; undecided, it is given back. */
async function ask(chat, error, message) {
  const chosen = await present("ll-fallback", { chat, error, waiting: 0 });
  if (!chosen) return { back: true };
  const { allow = "" } = chosen;
  try {
    // What failed stands in the history and is tried again there; sent anew it would be there twice.
    if (message.unsaved) await store.send(chat, { text: message.text, reply: message.reply ?? null, allow });
    else await store.resend(chat, message, allow);
    await store.refreshChat(chat);
    return {};
  } catch (again) {
    return again.unreachable ? {} : { back: true, trouble: textOf(again) };
  }
}
