"use strict";
// Everything on the page is made here: by createElement and textContent, never from markup, so that
// no name or message of others can become an element.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const collator = new Intl.Collator("en", { numeric: true });
const number = (value) => value.toLocaleString("en");
const plural = (count, word, many = `${word}s`) => `${number(count)} ${count === 1 ? word : many}`;
const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== ""));
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Long names may break after the signs that join their parts.
const breakable = (text) => text.replace(/([/.\]])(?=.)/g, "$1\u200b");

const TONES = { Deny: "deny", Warn: "warn", Audit: "audit", Exempt: "exempt" };
const tag = (text, tone = "") => el("span", { class: `tag ${tone}` }, text);

function announce(text) { byId("said").textContent = text; }

function empty(title, text, done = false) {
  const tick = svg("svg", { class: "tick", viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("circle", { cx: 12, cy: 12, r: 10 }), svg("path", { d: "m7.5 12.5 3 3 6-6.5" }));
  return el("div", { class: "empty" }, done ? tick : null, el("b", {}, title), text);
}

function panel(title, body, extra = null, wide = false) {
  return el("section", { class: wide ? "card panel wide" : "card panel", "aria-label": title },
    el("header", {}, el("h2", {}, title), extra), body);
}

function stack(parts) {
  const bar = el("div", { class: "stack", "aria-hidden": "true" });
  for (const [count, tone] of parts) {
    if (count) {
      const piece = el("i", { class: tone });
      piece.style.flex = String(count);
      bar.append(piece);
    }
  }
  return bar;
}

function field(label, control, grow = false) {
  return el("label", { class: grow ? "field grow" : "field" }, label, control);
}

function select(label, chosen, options, onchange) {
  const control = el("select", { onchange: () => onchange(control.value) },
    options.map(([value, text]) => el("option", { value }, text)));
  control.value = chosen;
  return field(label, control);
}

function search(label, value, oninput) {
  const control = el("input", { type: "search", value, autocomplete: "off", spellcheck: "false", oninput: () => oninput(control.value) });
  return field(label, control, true);
}

function choices(label, options, chosen, onchange) {
  const group = el("div", { class: "choices", role: "group", "aria-label": label });
  for (const [value, text] of options) {
    group.append(el("button", {
      type: "button", "aria-pressed": String(value === chosen),
      onclick: (event) => {
        for (const one of group.children) one.setAttribute("aria-pressed", String(one === event.currentTarget));
        onchange(value);
      },
    }, text));
  }
  return group;
}

// All words must be in the text of the row; the texts are made when somebody searches first.
function searcher(text) {
  const texts = new Map();
  return (row, words) => {
    if (!words.length) return true;
    if (!texts.has(row)) texts.set(row, text(row).toLowerCase());
    return words.every((word) => texts.get(row).includes(word));
  };
}
const wordsOf = (query) => query.toLowerCase().split(/\s+/).filter(Boolean);
