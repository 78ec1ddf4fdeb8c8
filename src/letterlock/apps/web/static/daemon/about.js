/** Which chat a dialogue is about: it is given its name or the whole of it, and wants what the store knows now. */

import { store } from "./store.js";

/** @param {string|{chat: string}} chat */
export function chatName(chat) {
  return typeof chat === "string" ? chat : chat.chat;
}

/** What the store knows of it, or at least its name. */
export function chatOf(chat) {
  return (
    store.chat(chatName(chat)) ?? (typeof chat === "string" ? { chat, name: chat, kind: "number", security: {} } : chat)
  );
}

/** What the user calls it. */
export function called(chat) {
  const { name, chat: number } = chatOf(chat);
  return name || number;
}

/** A sentence of the daemon about a chat, with its name put in where a placeholder is left. */
export function aboutChat(text, chat) {
  return text.replaceAll("{name}", called(chat)).replace(" ({wait})", "");
}
