// Where the reader is: in the fragment, so that every view, filter and finding has an address.

const VIEWS = new Map();
const place = { view: "overview", params: new URLSearchParams() };

function address(view, params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== "" && value != null);
  const query = new URLSearchParams(kept).toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

function look() {
  const [view, query = ""] = location.hash.slice(1).split(/\?(.*)/s);
  if (view && !VIEWS.has(view)) return false;
  place.view = view || "overview";
  place.params = new URLSearchParams(query);
  return true;
}

// Filters change the address without a step in the history for every letter.
function note(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value) place.params.set(key, value);
    else place.params.delete(key);
  }
  history.replaceState(null, "", address(place.view, Object.fromEntries(place.params)));
}

function show() {
  const { title, draw } = VIEWS.get(place.view);
  for (const one of byId("tabs").children) {
    if (one.dataset.view === place.view) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  document.title = `${title} – Netreeve report`;
  current = null;
  byId("main").replaceChildren(...draw(place.params));
  current?.settle();
}

function tabs() {
  byId("tabs").replaceChildren(...[...VIEWS].map(([view, { title, count }]) =>
    el("a", { href: address(view), "data-view": view }, title,
      count === undefined ? null : el("span", { class: "count" }, number(count)))));
}

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const names = { auto: "Automatic", light: "Light", dark: "Dark" };
  const button = byId("theme");
  let chosen = remembered();
  const apply = () => {
    document.documentElement.dataset.theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
    button.textContent = `Theme: ${names[chosen]}`;
    document.dispatchEvent(new Event("theme"));
  };
  button.addEventListener("click", () => {
    const order = Object.keys(names);
    chosen = order[(order.indexOf(chosen) + 1) % order.length];
    remember(chosen);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

// A browser may refuse to keep anything for a file.
function remembered() {
  try { return { light: "light", dark: "dark" }[localStorage.getItem("netreeve-theme")] ?? "auto"; } catch { return "auto"; }
}
function remember(value) {
  try { localStorage.setItem("netreeve-theme", value); } catch { /* the choice lasts until the page is closed */ }
}
