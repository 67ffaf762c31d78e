// Who may talk to whom: the matrix, and one namespace with its neighbours.

const MOST_NEIGHBOURS = 14;
const REACH_TEXTS = { all: ["Everything", "deny"], some: ["Some ports", "warn"], nothing: ["Nothing", "good"] };

function neighbours(at, outwards) {
  const pairs = MAP.names.map((_, other) => [other, outwards ? pairOf(at, other) : pairOf(other, at)]);
  const rank = { all: 0, some: 1, nothing: 2 };
  return pairs.filter(([other]) => other !== at).sort((a, b) => rank[a[1][0]] - rank[b[1][0]] || collator.compare(MAP.names[a[0]], MAP.names[b[0]]));
}

function drawReach(params) {
  const names = MAP.names;
  const heading = el("div", { class: "head" }, el("h1", {}, "Who may talk to whom"), el("p", {}, "By the union of all NetworkPolicies, pods in rows to pods in columns"));
  if (!names.length) return [heading, el("div", { class: "card" }, empty("No pods", "There are no pods that NetworkPolicies speak to."))];
  const chosen = Math.max(0, names.indexOf(params.get("ns") ?? mostOpen()));
  const focus = el("div", { class: "focus" });
  const pick = select("Namespace", names[chosen], names.map((one) => [one, one]), (ns) => { note({ ns }); focusOn(names.indexOf(ns)); });
  const focusOn = (at) => { pick.lastChild.value = names[at]; focus.replaceChildren(...neighbourhood(at)); };
  const matrix = new Matrix((at) => { note({ ns: names[at] }); focusOn(at); focus.scrollIntoView({ block: "start" }); announce(`Showing ${names[at]}`); });
  const update = (changes = {}) => {
    note(changes);
    const words = wordsOf(place.params.get("q") ?? "");
    const order = orders[place.params.get("order") ?? ""] ?? orders[""];
    const found = order(names.map((_, at) => at)).filter((at) => !words.length || words.some((word) => names[at].toLowerCase().includes(word)));
    matrix.show(found, found);
    nothing.hidden = found.length > 0;
    matrix.node.hidden = !found.length;
  };
  const nothing = el("div", { hidden: true }, empty("Nothing matches", "No namespace has such a name."));
  const zoom = (step) => { matrix.zoom = Math.min(4, Math.max(-2, matrix.zoom + step)); matrix.draw(); };
  const filters = el("div", { class: "filters", role: "search", "aria-label": "Namespaces" },
    search("Search", params.get("q") ?? "", (q) => update({ q })),
    select("Order", params.get("order") ?? "", [["", "By name"], ["open", "Most open first"], ["alike", "Alike together"]], (order) => update({ order })),
    el("div", { class: "field zoom" }, "Zoom", el("div", { class: "choices", role: "group", "aria-label": "Zoom" },
      el("button", { type: "button", "aria-label": "Smaller", onclick: () => zoom(-1) }, "−"), el("button", { type: "button", "aria-label": "Larger", onclick: () => zoom(1) }, "+"))));
  const legend = el("ul", { class: "legend" }, Object.entries(REACH_TEXTS).map(([reach, [text, tone]]) => el("li", { class: reach === NOTHING ? "blank" : tone }, text)));
  const help = el("p", { class: "hidden", id: "matrix-help" }, "Arrow keys move from pair to pair, Enter shows the target with its neighbours. The tables below say the same for one namespace.");
  focusOn(chosen);
  queueMicrotask(update); // the canvas is as wide as its place on the page
  return [heading, el("div", { class: "card" }, filters, el("div", { class: "body matrix-body" }, legend, matrix.told, help, matrix.node, nothing)),
    el("section", { class: "neighbours", "aria-label": "One namespace" }, el("div", { class: "filters bare" }, pick), focus)];
}

function openness(at) {
  const weight = { all: 2, some: 1, nothing: 0 };
  return MAP.names.reduce((sum, _, other) => sum + weight[pairOf(other, at)[0]] + weight[pairOf(at, other)[0]], 0);
}
const mostOpen = () => MAP.names[orders.open(MAP.names.map((_, at) => at))[0]];
const sortedBy = (rows, key) => rows.map((row) => [key(row), row]).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, row]) => row);
const orders = {
  "": (rows) => rows,
  open: (rows) => sortedBy(rows, (at) => -openness(at)),
  alike: (rows) => sortedBy(rows, (at) => MAP.names.map((_, other) => "asn".indexOf(pairOf(at, other)[0][0]) + "" + "asn".indexOf(pairOf(other, at)[0][0])).join("")),
};

function neighbourhood(at) {
  const [into, out] = [neighbours(at, false), neighbours(at, true)];
  const name = MAP.names[at];
  return [
    panel(`${name} and its neighbours`, el("div", { class: "scroll body" }, graph(at, into, out)), null, true),
    el("div", { class: "panels" }, neighbourTable(`May come in to ${name}`, into), neighbourTable(`${name} may reach`, out)),
    isolation(name),
  ];
}

function neighbourTable(title, pairs) {
  const row = ([other, [reach, ports, targets, of]]) => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: address("reach", { ns: MAP.names[other] }) }, breakable(MAP.names[other]))),
    el("td", {}, tag(...REACH_TEXTS[reach])), el("td", { class: "mono" }, reach === SOME ? ports.join(", ") : ""),
    el("td", { class: "number" }, `${number(targets)}/${number(of)}`));
  const open = pairs.filter(([, [reach]]) => reach !== NOTHING);
  const closed = pairs.length - open.length;
  const body = el("tbody", {}, open.slice(0, PAGE).map(row));
  const more = open.length > PAGE ? el("button", { type: "button", class: "button", onclick: () => { body.append(...open.slice(PAGE).map(row)); more.remove(); } }, `Show all ${number(open.length)}`) : null;
  const note = closed ? el("p", { class: "body soft" }, `Nothing between it and ${plural(closed, "other namespace")}.`) : null;
  if (!open.length) return panel(title, el("p", { class: "body soft" }, "No other namespace."));
  return panel(title, [el("div", { class: "scroll" }, el("table", { class: "compact" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Namespace"), el("th", { scope: "col" }, "What"), el("th", { scope: "col" }, "Ports"), el("th", { scope: "col", class: "number" }, "Workloads"))), body)), note].filter(Boolean), more);
}

function isolation(namespace) {
  const rows = MAP.workloads.filter((one) => one[0] === namespace);
  const side = (one) => (one === null ? el("span", { class: "soft" }, "On the node's network") : one[0]
    ? [tag("Isolated", "good"), el("span", { class: "under" }, one[1].join(", "))] : tag("Open", "deny"));
  const row = ([, title, , ingress, egress]) => el("tr", {}, el("th", { scope: "row" }, breakable(title)), el("td", {}, side(ingress)), el("td", {}, side(egress)));
  const body = el("tbody", {}, rows.slice(0, PAGE).map(row));
  const more = rows.length > PAGE ? el("button", { type: "button", class: "button", onclick: () => { body.append(...rows.slice(PAGE).map(row)); more.remove(); } }, `Show all ${number(rows.length)}`) : null;
  return panel(`Workloads of ${namespace}`, el("div", { class: "scroll" }, el("table", { class: "compact" },
    el("thead", {}, el("tr", {}, ["Workload", "Ingress", "Egress"].map((one) => el("th", { scope: "col" }, one)))), body)), more, true);
}

// Sources on the left, the namespace in the middle, targets on the right; what is too many is a count.
function graph(at, into, out) {
  const sides = [into, out].map((pairs) => pairs.filter(([, [reach]]) => reach !== NOTHING));
  const rows = Math.max(1, ...sides.map((pairs) => Math.min(pairs.length, MOST_NEIGHBOURS + 1)));
  const [width, step] = [900, 30];
  const height = Math.max(90, rows * step + 20);
  const name = MAP.names[at];
  const picture = svg("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${plural(sides[0].length, "namespace")} may come in to ${name}, which may reach ${number(sides[1].length)}` });
  const box = (x, y, text, kind, anchor) => [svg("rect", { x: x - 105, y: y - 12, width: 210, height: 24, rx: 6, class: `node ${kind}` }),
    svg("text", { x, y: y + 4, "text-anchor": anchor }, text.length > 28 ? `${text.slice(0, 27)}…` : text)];
  sides.forEach((pairs, side) => {
    const shown = pairs.slice(0, pairs.length > MOST_NEIGHBOURS + 1 ? MOST_NEIGHBOURS : pairs.length);
    const items = shown.map(([other, [reach]]) => [MAP.names[other], reach]);
    if (shown.length < pairs.length) items.push([`and ${number(pairs.length - shown.length)} more`, "more"]);
    items.forEach(([text, reach], index) => {
      const y = height / 2 + (index - (items.length - 1) / 2) * step;
      const [from, to] = side ? [555, 680] : [220, 345];
      const [y1, y2] = side ? [height / 2, y] : [y, height / 2];
      picture.append(svg("path", { class: `edge ${reach}`, d: `M${from} ${y1}C${from + 60} ${y1} ${to - 60} ${y2} ${to} ${y2}` }), ...box(side ? 785 : 115, y, text, reach, "middle"));
    });
    if (!items.length) picture.append(svg("text", { class: "soft", x: side ? 785 : 115, y: height / 2 + 4, "text-anchor": "middle" }, side ? "may reach nobody" : "nobody may come in"));
  });
  picture.append(...box(450, height / 2, name, "self", "middle"));
  return picture;
}
