// The report at a glance: how many, where, and of what.

const MOST_BARS = 12;

function tally(rows, of) {
  const found = new Map();
  for (const row of rows) {
    const key = of(row);
    if (!found.has(key)) found.set(key, { key, Deny: 0, Warn: 0, Audit: 0, Exempt: 0 });
    found.get(key)[row[ACTION]] += 1;
  }
  return [...found.values()].sort((a, b) => b.Deny - a.Deny || b.Warn - a.Warn || b.Audit - a.Audit || b.Exempt - a.Exempt || collator.compare(a.key, b.key));
}

const totalOf = (one) => SEVERITIES.reduce((sum, severity) => sum + one[severity], 0);

function tallied(title, label, counts, param, about = () => "") {
  const most = Math.max(...counts.map(totalOf));
  const row = (one) => {
    const bar = stack(SEVERITIES.map((severity) => [one[severity], TONES[severity]]));
    bar.style.width = `${Math.max(3, (100 * totalOf(one)) / most)}%`;
    const under = about(one.key);
    return el("tr", {},
      el("th", { scope: "row" }, el("a", { href: address("findings", { [param]: one.key }) }, one.key), under ? el("span", { class: "under" }, under) : null),
      SEVERITIES.map((action) => el("td", { class: one[action] ? "number" : "number soft" }, number(one[action]))),
      el("td", { class: "meter" }, bar));
  };
  const body = el("tbody", {}, counts.slice(0, MOST_BARS).map(row));
  const rest = counts.slice(MOST_BARS);
  const more = rest.length ? el("button", { type: "button", class: "button", onclick: () => { body.append(...rest.map(row)); more.remove(); } }, `Show all ${number(counts.length)}`) : null;
  return panel(title, el("div", { class: "scroll" }, el("table", { class: "compact" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, label),
      SEVERITIES.map((one) => el("th", { scope: "col", class: "number" }, one)),
      el("th", { scope: "col", class: "meter" }, el("span", { class: "hidden" }, "As a bar")))), body)), more);
}

function statuses() {
  const { denied, warned, preexisting, exempt, allowed, audited, excluded, unknown } = DATA.summary;
  return [
    ["Denied", denied, "deny"], ["With warnings", warned, "warn"],
    ...(preexisting ? [["Only pre-existing", preexisting, "before"]] : []), ...(exempt ? [["Exempt", exempt, "exempt"]] : []),
    ["Audited only", audited, "audit"], ["Clean", allowed - audited, "good"], ["Not judged", excluded + unknown, "none"],
  ];
}

function verdict() {
  const parts = statuses();
  return el("div", { class: "card verdict" }, el("p", {}, `${DATA.sentence[0].toUpperCase()}${DATA.sentence.slice(1)}.`),
    stack(parts.map(([, count, tone]) => [count, tone])),
    el("ul", { class: "legend" }, parts.map(([title, count, tone]) => el("li", { class: tone }, `${title} ${number(count)}`))));
}

function drawOverview() {
  const counts = Object.fromEntries(SEVERITIES.map((one) => [one, 0]));
  const before = { ...counts };
  for (const row of findings) {
    counts[row[ACTION]] += 1;
    before[row[ACTION]] += row[BEFORE];
  }
  const texts = { Deny: "to deny", Warn: "to warn of", Audit: "only to record", Exempt: "exempt" };
  const cards = Object.keys(counts).map((action) =>
    el("a", { class: `card stat ${counts[action] ? TONES[action] : "none"}`, href: address("findings", { action }) },
      el("b", {}, number(counts[action])), el("span", {}, `${counts[action] === 1 ? "finding" : "findings"} ${texts[action]}${before[action] ? `, ${number(before[action])} pre-existing` : ""}`)));
  return [
    el("div", { class: "head" }, el("h1", {}, "Overview"), DATA.judged ? el("p", {}, breakable(`Judged: ${DATA.judged}`)) : null),
    el("div", { class: "cards" }, cards, exposureCards()),
    verdict(),
    DATA.unreadable.length ? el("p", { class: "note" }, tag("Incomplete", "warn"), ` ${plural(DATA.unreadable.length, "thing")} could not be read: `, el("a", { href: address("problems") }, "see which"), ".") : null,
    findings.length
      ? el("div", { class: "panels" },
        tallied("By policy", "Policy", tally(findings, (row) => policyOf(row)[0]), "policy", (id) => DATA.policies.find((one) => one[0] === id)[1]),
        tallied("By namespace", "Namespace", tally(findings, namespaceOf), "ns"),
        drawChanges())
      : el("div", { class: "card" }, empty("Nothing found", "Every object that was judged keeps to the policies.", true)),
  ].filter(Boolean);
}

function drawChanges() {
  if (!DATA.changes) return null;
  const body = DATA.fixed.length
    ? el("div", { class: "scroll" }, el("table", { class: "compact" }, el("caption", { class: "hidden" }, "Fixed since the earlier report"), el("thead", {}, el("tr", {}, ["Fixed", "Policy", "Field"].map((one) => el("th", { scope: "col" }, one)))),
      el("tbody", {}, DATA.fixed.map(([title, policy, path]) => el("tr", {}, el("td", {}, breakable(title)), el("td", {}, el("code", {}, policy)), el("td", {}, el("code", {}, breakable(path))))))))
    : el("p", { class: "body soft" }, "Nothing was fixed.");
  return panel(`Since the earlier report: ${DATA.changes}`, body, NEW.size ? el("a", { href: address("findings", { state: "new" }) }, "Show what is new") : null, true);
}

function drawProblems() {
  const rows = DATA.unreadable.map(([where, message]) => el("tr", {}, el("td", {}, el("code", {}, breakable(where))), el("td", {}, message)));
  return [
    el("div", { class: "head" }, el("h1", {}, "Not read"), el("p", {}, "What is missing from this report, and why")),
    el("div", { class: "card scroll" }, el("table", {}, el("caption", { class: "hidden" }, "Not read"),
      el("thead", {}, el("tr", {}, ["Where", "Why"].map((one) => el("th", { scope: "col" }, one)))), el("tbody", {}, rows))),
  ];
}
