// The texts of the page: the server puts the messages of one language into it.

const texts = JSON.parse(document.getElementById("texts").textContent);
const number = new Intl.NumberFormat(document.documentElement.lang);

export const count = (n) => number.format(n);

/** A message with its {places} filled. */
export function say(key, places = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (whole, name) => places[name] ?? whole);
}

/** The message KEY.one or KEY.many, with {n} filled. */
export const counted = (key, n) => say(`${key}.${n === 1 ? "one" : "many"}`, { n: count(n) });

export const labelled = (name) => texts[`label.${name}`] ?? name;

export const splitName = (name) => texts[`split.${name}`] ?? name;

export const checkName = (name) => texts[`check.${name}`] ?? name.replace(/[-_]/g, " ");

export const actionName = (name) => texts[`action.${name}`] ?? name;
