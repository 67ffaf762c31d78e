// A table of any length: sorted, and a page at a time. On paper all of it, up to a limit.

const PAGE = 50;
const ON_PAPER = 2000;
let current = null; // the listing of this view, for the printer

class Listing {
  // columns: {title, sort: row -> text or number, cell: row -> what is shown, class}.
  // options: caption, class, sort (the title of a column, "-" before it for descending), keep: row.
  constructor(columns, options) {
    this.columns = columns;
    this.options = options;
    this.rows = [];
    this.all = false;
    this.page = Math.max(0, (Number(place.params.get("page")) || 1) - 1);
    this.sort = place.params.get("sort") ?? options.sort ?? "";
    this.body = el("tbody");
    this.headings = columns.map((column) => this.heading(column));
    this.table = el("table", { class: options.class ?? "" },
      el("caption", { class: "hidden" }, options.caption),
      el("thead", {}, el("tr", {}, this.headings)), this.body);
    this.where = el("span");
    this.buttons = [["Previous", -1], ["Next", 1]].map(([text, step]) =>
      el("button", { type: "button", class: "button", onclick: () => this.turn(step) }, text));
    this.pager = el("div", { class: "pager" }, this.where, el("div", {}, this.buttons));
    this.nothing = el("div", { hidden: true }, empty("Nothing matches", "Take a filter away, or search for something else."));
    this.node = el("div", {}, el("div", { class: "scroll" }, this.table), this.nothing, this.pager);
    current = this;
  }

  heading(column) {
    if (!column.sort) return el("th", { scope: "col", class: column.class }, column.title);
    const order = () => {
      this.sort = this.sort === column.title ? `-${column.title}` : column.title;
      note({ sort: this.sort === (this.options.sort ?? "") ? "" : this.sort });
      this.show(this.rows);
      announce(`Sorted by ${column.title}, ${this.sort[0] === "-" ? "descending" : "ascending"}`);
    };
    return el("th", { scope: "col", class: column.class },
      el("button", { type: "button", class: "sort", onclick: order }, column.title));
  }

  // Rows in the order of the data until somebody sorts; equal ones stay so.
  show(rows, { first = true, at = null } = {}) {
    this.rows = this.sorted(rows);
    if (first) this.page = 0;
    if (at) this.page = Math.max(0, Math.floor(this.rows.indexOf(at) / PAGE));
    this.render();
  }

  sorted(rows) {
    const title = this.sort.replace(/^-/, "");
    const column = this.columns.find((one) => one.title === title);
    this.headings.forEach((th, index) => {
      if (!this.columns[index].sort) return;
      const mine = this.columns[index] === column;
      th.setAttribute("aria-sort", mine ? (this.sort[0] === "-" ? "descending" : "ascending") : "none");
    });
    if (!column) return [...rows];
    const sign = this.sort[0] === "-" ? -1 : 1;
    const keyed = rows.map((row) => [column.sort(row), row]);
    keyed.sort(([a], [b]) => sign * (typeof a === "number" ? a - b : collator.compare(a, b)));
    return keyed.map(([, row]) => row);
  }

  turn(step) {
    this.page += step;
    this.render();
    this.node.scrollIntoView({ block: "start" });
    announce(this.where.textContent);
  }

  render() {
    const total = this.rows.length;
    const pages = Math.max(1, Math.ceil(total / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const [from, to] = this.all ? [0, ON_PAPER] : [this.page * PAGE, (this.page + 1) * PAGE];
    const shown = this.rows.slice(from, to);
    this.body.replaceChildren(...shown.map((row) => el("tr", this.options.attributes?.(row) ?? {},
      this.columns.map((column) => el("td", { class: column.class }, column.cell(row))))));
    this.where.textContent = total ? `${number(from + 1)}–${number(from + shown.length)} of ${number(total)}` : "";
    this.table.hidden = this.pager.hidden = !total;
    this.nothing.hidden = total > 0;
    this.buttons[0].disabled = this.page === 0;
    this.buttons[1].disabled = this.page >= pages - 1;
    this.buttons[0].parentNode.hidden = pages === 1;
    note({ page: this.page ? String(this.page + 1) : "" });
  }

  // After the view is on the page: to the row that its address names.
  settle() {
    const row = this.body.querySelector("tr.at");
    if (row) {
      row.scrollIntoView({ block: "center" });
      row.querySelector("a")?.focus({ preventScroll: true });
    }
  }

  paper(all) {
    this.all = all;
    this.render();
  }
}
