// Every finding, with what to do about it.

const [OBJECT, POLICY, ACTION, FIELD, MESSAGE, FIX, PLACE, ID, BEFORE, EXEMPT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const [KIND, NAMESPACE, NAME, , FOLDED, ASKED] = [0, 1, 2, 3, 4, 5];
const STRENGTH = { Deny: 0, Warn: 1, Audit: 2, Exempt: 3 };
const NEW = new Set(DATA.new);
const CLUSTER = "(cluster)";

const objectOf = (row) => DATA.objects[row[OBJECT]];
const policyOf = (row) => DATA.policies[row[POLICY]];
const namespaceOf = (row) => objectOf(row)[NAMESPACE] || CLUSTER;
const titleOf = ([kind, namespace, name]) => `${kind} ${namespace ? `${namespace}/` : ""}${name}`;
const matches = searcher((row) => [titleOf(objectOf(row)), policyOf(row)[0], row[FIELD], row[MESSAGE], row[FIX], row[PLACE]].join(" "));

const findings = [...DATA.findings].sort((a, b) => STRENGTH[a[ACTION]] - STRENGTH[b[ACTION]]);
const SEVERITIES = Object.keys(STRENGTH).filter((one) => one !== "Exempt" || findings.some((row) => row[ACTION] === one));

function aboutObject(row) {
  const [kind, namespace, name] = objectOf(row);
  const folded = objectOf(row)[FOLDED];
  const below = [row[PLACE], folded ? `and ${plural(folded, "object")} made from it` : "", objectOf(row)[ASKED]];
  return [
    el("span", { class: "name" }, breakable(name)),
    el("a", { class: "link", href: address("findings", { id: row[ID] }), title: "Address of this finding", "aria-label": `Address of this finding on ${name}` }, "#"),
    el("span", { class: "under" }, namespace ? `${kind} in ${namespace}` : kind),
    below.filter(Boolean).map((text) => el("span", { class: "under mono" }, breakable(text))),
  ];
}

function aboutFix(row) {
  const [, , why, fix] = policyOf(row);
  return [row[FIX], row[EXEMPT] ? el("span", { class: "under" }, row[EXEMPT]) : null, why ? el("details", { class: "more" }, el("summary", {}, "Why"), el("p", {}, why), el("p", {}, fix)) : null];
}

const FINDING_COLUMNS = [
  { title: "Severity", sort: (row) => STRENGTH[row[ACTION]], cell: (row) => [
    tag(row[ACTION], TONES[row[ACTION]]), NEW.has(row[ID]) ? [" ", tag("new")] : null, row[BEFORE] ? [" ", tag("pre-existing")] : null, row[EXEMPT] && row[ACTION] !== "Exempt" ? [" ", tag("exemption claimed")] : null] },
  { title: "Object", sort: (row) => titleOf([objectOf(row)[NAMESPACE], objectOf(row)[NAME], objectOf(row)[KIND]]), cell: aboutObject },
  { title: "Policy", sort: (row) => policyOf(row)[0], cell: (row) => el("code", {}, policyOf(row)[0]) },
  { title: "Finding", cell: (row) => [el("code", { class: "path" }, breakable(row[FIELD])), row[MESSAGE]] },
  { title: "What to do", cell: aboutFix },
];

function drawFindings(params) {
  const heading = el("div", { class: "head" }, el("h1", {}, "Findings"), el("p", { id: "found" }));
  if (!findings.length) return [heading, el("div", { class: "card" }, empty("Nothing found", "Every object that was judged keeps to the policies.", true))];
  const wanted = params.get("id");
  const listing = new Listing(FINDING_COLUMNS, {
    caption: "Findings", class: "findings",
    attributes: (row) => (row[ID] === wanted ? { class: "at" } : {}),
  });
  const update = (changes = {}, how = {}) => {
    note(changes);
    const get = (key) => place.params.get(key) ?? "";
    const words = wordsOf(get("q"));
    const rows = findings.filter((row) =>
      (!get("action") || row[ACTION] === get("action")) &&
      (!get("ns") || namespaceOf(row) === get("ns")) &&
      (!get("policy") || policyOf(row)[0] === get("policy")) &&
      (!get("state") || (get("state") === "new" ? NEW.has(row[ID]) : !row[BEFORE])) &&
      matches(row, words));
    heading.lastChild.textContent = rows.length === findings.length ? plural(rows.length, "finding") : `${number(rows.length)} of ${plural(findings.length, "finding")}`;
    listing.show(rows, how);
    if (how.first !== false) announce(heading.lastChild.textContent);
  };
  const filters = el("div", { class: "filters", role: "search", "aria-label": "Findings" }, findingFilters(params, update));
  update({}, { first: false, at: wanted ? findings.find((row) => row[ID] === wanted) : null });
  return [heading, el("div", { class: "card" }, filters, listing.node)];
}

function findingFilters(params, update) {
  const names = (of) => [...new Set(findings.map(of))].sort(collator.compare).map((one) => [one, one]);
  const states = [["", "Any"], ...(NEW.size ? [["new", "New since the earlier report"]] : []), ...(findings.some((row) => row[BEFORE]) ? [["open", "Not pre-existing"]] : [])];
  const severities = [["", "All"], ...SEVERITIES.map((one) => [one, one])];
  return [
    search("Search", params.get("q") ?? "", (q) => update({ q })),
    el("div", { class: "field" }, "Severity", choices("Severity", severities, params.get("action") ?? "", (action) => update({ action }))),
    select("Namespace", params.get("ns") ?? "", [["", "All namespaces"], ...names(namespaceOf)], (ns) => update({ ns })),
    select("Policy", params.get("policy") ?? "", [["", "All policies"], ...names((row) => policyOf(row)[0])], (policy) => update({ policy })),
    states.length > 1 ? select("State", params.get("state") ?? "", states, (state) => update({ state })) : null,
  ];
}
