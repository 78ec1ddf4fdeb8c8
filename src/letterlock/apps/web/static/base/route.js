// Where the page is, in the part of the address behind `#`, so that back, forward and a link work.

/**
 * @typedef {{shows: "list"|"chat"|"search"|"settings"|"new", chat?: string, message?: string, text?: string}} Route
 */

/** @returns {Route} */
export function here() {
  const [, shows = "", ...rest] = location.hash.split("/");
  const [first = "", second = ""] = rest.map(decoded);
  if (shows === "chat" && first) return { shows, chat: first, message: second };
  if (shows === "search") return { shows, text: first, chat: second };
  if (shows === "settings" || shows === "new") return { shows };
  return { shows: "list" };
}

/** The address of a chat, or of one message in it. */
export function chatAddress(chat, message = "") {
  return `#/chat/${encodeURIComponent(chat)}${message ? `/${encodeURIComponent(message)}` : ""}`;
}

/** The address of a search, in one chat or everywhere. */
export function searchAddress(text, chat = "") {
  return `#/search/${encodeURIComponent(text)}${chat ? `/${encodeURIComponent(chat)}` : ""}`;
}

/** Go there. `replace`: the step before is not worth coming back to. */
export function go(address, { replace = false } = {}) {
  if (location.hash === address) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else if (replace) {
    history.replaceState(null, "", address);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = address;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
