// Every way in from outside, and what stands behind it.

const MAP = DATA.exposure;
const [WAY, WHOSE, HOME, REACH, OPENS, ADDRESSES, SOURCES, VIA, BEHIND] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const REACHES = {
  public: ["Internet", "deny"], restricted: ["Some networks", "warn"], nodes: ["The nodes' network", "warn"],
  internal: ["Private network", "good"], unknown: ["Not known", ""],
};
const VERDICTS = { allowed: ["Let in", "deny"], narrowed: ["Narrowed", "warn"], blocked: ["Blocked", "good"], unknown: ["Not known", ""] };
const ORDER = Object.keys(REACHES);
const MOST_BEHIND = 6;

const letIn = (way) => way[BEHIND].some(([, , verdict]) => verdict === "allowed" || verdict === "narrowed");
const matchesWay = searcher((way) => [way[WAY], way[WHOSE], ...way[OPENS], ...way[ADDRESSES], ...way[SOURCES], ...way[VIA], ...way[BEHIND].flat(2)].join(" "));

function exposureCards() {
  if (!MAP) return [];
  const open = MAP.ways.filter((way) => way[REACH] === "public").length;
  return [
    el("a", { class: `card stat ${open ? "deny" : "good"}`, href: address("exposure", { reach: "public" }) }, el("b", {}, number(open)), el("span", {}, `${open === 1 ? "way" : "ways"} in from the internet`)),
    el("a", { class: "card stat none", href: address("exposure") }, el("b", {}, number(MAP.ways.length)), el("span", {}, `${MAP.ways.length === 1 ? "way" : "ways"} in from outside`)),
  ];
}

const lines = (texts, kind = "under mono") => texts.map((text) => el("span", { class: kind }, breakable(text)));

function aboutWay(way) {
  const [kind, whose, namespace] = way;
  const at = whose.indexOf(` ${namespace}/`);
  const [type, name] = at < 0 ? [whose, ""] : [whose.slice(0, at), whose.slice(at + namespace.length + 2)];
  const title = kind === type ? type : `${kind[0].toUpperCase()}${kind.slice(1)} of ${type}`;
  return [el("span", { class: "name" }, breakable(name)), el("span", { class: "under" }, `${title} in ${namespace}`)];
}

function aboutFrom(way) {
  const [text, tone] = REACHES[way[REACH]];
  return [tag(text, tone), lines(way[SOURCES]), way[VIA].length ? el("span", { class: "under" }, `through ${way[VIA].join(", ")}`) : null];
}

function aboutBehind(way) {
  if (!way[BEHIND].length) return el("span", { class: "soft" }, "Nothing that is known");
  const one = ([target, port, verdict, policies, networks]) => el("li", {},
    tag(VERDICTS[verdict][0], VERDICTS[verdict][1]), " ", breakable(target), " ", el("code", {}, port),
    policies.length ? el("span", { class: "under" }, `by ${policies.join(", ")}${networks.length ? ` to ${networks.join(", ")}` : ""}`) : null);
  const list = el("ul", { class: "behind" }, way[BEHIND].slice(0, MOST_BEHIND).map(one));
  const rest = way[BEHIND].slice(MOST_BEHIND);
  return rest.length ? [list, el("details", { class: "more" }, el("summary", {}, `and ${number(rest.length)} more`), el("ul", { class: "behind" }, rest.map(one)))] : list;
}

const WAY_COLUMNS = [
  { title: "Way in", sort: (way) => `${way[WAY]} ${way[WHOSE]}`, cell: aboutWay },
  { title: "Opens", cell: (way) => [lines(way[OPENS], "mono line"), lines(way[ADDRESSES])] },
  { title: "Open to", sort: (way) => ORDER.indexOf(way[REACH]), cell: aboutFrom },
  { title: "Behind it, and whether NetworkPolicies let it in", cell: aboutBehind },
];

function drawExposure(params) {
  const heading = el("div", { class: "head" }, el("h1", {}, "Exposure"), el("p"));
  if (!MAP.ways.length) return [heading, el("div", { class: "card" }, empty("No way in", "Nothing here opens anything to the outside.", true))];
  const listing = new Listing(WAY_COLUMNS, { caption: "Ways in from outside", class: "ways", sort: "Open to" });
  const update = (changes = {}, how = {}) => {
    note(changes);
    const get = (key) => place.params.get(key) ?? "";
    const words = wordsOf(get("q"));
    const rows = MAP.ways.filter((way) =>
      (!get("reach") || way[REACH] === get("reach")) && (!get("kind") || way[WAY] === get("kind")) &&
      (!get("ns") || way[HOME] === get("ns")) && (!get("let") || letIn(way)) && matchesWay(way, words));
    heading.lastChild.textContent = rows.length === MAP.ways.length ? `${plural(rows.length, "way")} in from outside` : `${number(rows.length)} of ${plural(MAP.ways.length, "way")} in`;
    listing.show(rows, how);
    if (how.first !== false) announce(heading.lastChild.textContent);
  };
  const names = (at) => [...new Set(MAP.ways.map((way) => way[at]))].sort(collator.compare).map((one) => [one, one]);
  const reaches = ORDER.filter((one) => MAP.ways.some((way) => way[REACH] === one)).map((one) => [one, REACHES[one][0]]);
  const filters = el("div", { class: "filters", role: "search", "aria-label": "Ways in" },
    search("Search", params.get("q") ?? "", (q) => update({ q })),
    select("Open to", params.get("reach") ?? "", [["", "All"], ...reaches], (reach) => update({ reach })),
    select("Kind", params.get("kind") ?? "", [["", "All kinds"], ...names(WAY)], (kind) => update({ kind })),
    select("Namespace", params.get("ns") ?? "", [["", "All namespaces"], ...names(HOME)], (ns) => update({ ns })),
    select("NetworkPolicies", params.get("let") ?? "", [["", "All"], ["1", "Let something in"]], (one) => update({ let: one })));
  update({}, { first: false });
  return [heading, el("div", { class: "card" }, filters, listing.node)];
}
