// Light or dark, and the locale: the user's choice for this browser, or what the system says.

const THEMES = ["auto", "light", "dark"];

/** @returns {"auto"|"light"|"dark"} */
export function theme() {
  const kept = recall("theme");
  return THEMES.includes(kept) ? kept : "auto";
}

/** @param {"auto"|"light"|"dark"} chosen */
export function setTheme(chosen) {
  keep("theme", chosen);
  applyTheme();
}

export function applyTheme() {
  const chosen = theme();
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** The locale that was asked for: in the address, else chosen in the settings; empty for the profile's own. */
export function chosenLocale() {
  return new URLSearchParams(location.search).get("locale") ?? recall("locale") ?? "";
}

/** Takes effect by loading the page again. @param {string} locale empty for the profile's own */
export function setLocale(locale) {
  keep("locale", locale);
  const address = new URL(location.href);
  address.searchParams.delete("locale");
  if (address.href === location.href) location.reload();
  else location.replace(address);
}

function recall(name) {
  try {
    return localStorage.getItem(`letterlock-${name}`);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(`letterlock-${name}`, value);
  } catch {
    // It holds until the page is closed.
  }
}
