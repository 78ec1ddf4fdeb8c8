// What was begun in each chat and not sent, for as long as the page is open.

const drafts = new Map();

/** @param {string} chat */
export const draftOf = (chat) => drafts.get(chat) ?? "";

/** @param {string} chat @param {string} text empty: there is none */
export function keepDraft(chat, text) {
  if (text) drafts.set(chat, text);
  else drafts.delete(chat);
}
