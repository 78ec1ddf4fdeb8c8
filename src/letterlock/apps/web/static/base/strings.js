// The words of the page, in the locale that the daemon has a table for; numbers, dates and plurals by Intl.

let strings = {};
let plurals = new Intl.PluralRules("en");
let formats = {};

/**
 * Take a table of the daemon (`strings {locale}`) into use; sets `lang` and `dir` of the page.
 * @param {{locale: string, dir: "ltr"|"rtl", strings: Record<string, string|{one: string, other: string}>}} table
 */
export function useStrings({ locale, dir, strings: words }) {
  strings = words;
  // A pseudo-locale has no words of its own for months and days; its text is English in disguise.
  const spoken = /-X[A-Z]$/.test(locale) ? "en" : locale;
  plurals = new Intl.PluralRules(spoken);
  const format = (options) => new Intl.DateTimeFormat(spoken, options);
  formats = {
    time: format({ hour: "2-digit", minute: "2-digit" }),
    weekday: format({ weekday: "long" }),
    shortWeekday: format({ weekday: "short" }),
    date: format({ day: "numeric", month: "long" }),
    shortDate: format({ day: "numeric", month: "short" }),
    year: format({ day: "numeric", month: "long", year: "numeric" }),
    full: format({
      weekday: "long",
      day: "numeric",
      month: "long",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
    }),
    number: new Intl.NumberFormat(spoken),
    byte: new Intl.NumberFormat(spoken, { maximumFractionDigits: 1 }),
    list: new Intl.ListFormat(spoken, { style: "long", type: "conjunction" }),
  };
  document.documentElement.lang = locale;
  document.documentElement.dir = dir;
}

/**
 * The text of a key with its values filled in; `count` chooses between forms. A value is isolated, so that a name in
 * another direction cannot turn the sentence around it. An unknown key is shown as it is.
 * @param {string} key for example `page.send`
 * @param {Record<string, string|number>} [values]
 */
export function t(key, values = {}) {
  const found = strings[key];
  if (found === undefined) return key;
  const text = typeof found === "string" ? found : (found[plurals.select(Number(values.count ?? 0))] ?? found.other);
  return text.replace(/\{(\w+)\}/g, (placeholder, name) => {
    if (!(name in values)) return placeholder;
    const value = values[name];
    return typeof value === "number" ? formats.number.format(value) : isolated(String(value));
  });
}

/**
 * Isolated where it could turn its surroundings; elsewhere the marks would only be in the way of copying and searching.
 */
function isolated(value) {
  const turns =
    document.documentElement.dir === "rtl" ||
    /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/.test(value);
  return turns ? `\u2068${value}\u2069` : value;
}

/** Clauses of the daemon have no capital and no full stop, because a terminal joins them; here they are sentences. */
export function sentenceOf(clause) {
  const first = clause.charAt(0).toLocaleUpperCase() + clause.slice(1);
  return !first || /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** Whether the table has this key. */
export function has(key) {
  return key in strings;
}

/** `14:02` */
export const timeOf = (at) => formats.time.format(at);

/** Everything about a moment, for a tooltip. */
export const momentOf = (at) => formats.full.format(at);

/** `Today`, `Yesterday`, `Monday`, `3 May`, `3 May 2024`: a day as a divider says it. */
export function dayOf(at, now = Date.now()) {
  const days = daysBetween(at, now);
  if (days === 0) return t("page.today");
  if (days === 1) return t("page.yesterday");
  if (days > 1 && days < 7) return formats.weekday.format(at);
  return (new Date(at).getFullYear() === new Date(now).getFullYear() ? formats.date : formats.year).format(at);
}

/** `14:02`, `Mon`, `3 May`, `3 May 2024`: a moment as the list of chats says it. */
export function briefly(at, now = Date.now()) {
  const days = daysBetween(at, now);
  if (days <= 0) return timeOf(at);
  if (days < 7) return formats.shortWeekday.format(at);
  return (new Date(at).getFullYear() === new Date(now).getFullYear() ? formats.shortDate : formats.year).format(at);
}

/** Whether two moments lie on one day here. */
export const sameDay = (one, other) => daysBetween(one, other) === 0;

/** `1.4 MB`, in the words of the page. */
export function bytesOf(size) {
  const units = ["page.bytes", "page.kilobytes", "page.megabytes", "page.gigabytes"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return t(units[unit], { count: Math.round(value * 10) / 10 });
}

/** `0:04`, `12:30`: a length of time. */
export function lengthOf(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** `Ana, Bob and Cleo` */
export const listOf = (items) => formats.list.format(items);

function daysBetween(at, now) {
  const midnight = (value) => new Date(value).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}
