// Who may talk to whom, at a glance: a row for each source, a column for each target. Drawn on a
// canvas, so that two hundred namespaces are no more work than two; `Neighbours` says it in words.

const TONES_OF = { all: "--bar-deny", some: "--bar-warn", nothing: "--line-soft" };
const [ALL, SOME, NOTHING] = ["all", "some", "nothing"];
const pairOf = (source, target) => MAP.reaches[MAP.matrix[source][target]];
const LABEL = 12;

function sentence(source, target) {
  const [reach, ports, targets, of] = pairOf(source, target);
  const [from, to] = [MAP.names[source], MAP.names[target]];
  if (reach === NOTHING) return `${from} → ${to}: nothing`;
  if (reach === ALL) return `${from} → ${to}: everything`;
  return `${from} → ${to}: ${ports.join(", ")}; ${number(targets)} of ${plural(of, "workload")}`;
}

class Matrix {
  // choose: called with the position of a namespace.
  constructor(choose) {
    this.choose = choose;
    this.rows = MAP.names.map((_, at) => at);
    this.columns = this.rows;
    this.zoom = 0;
    this.at = null;
    this.canvas = el("canvas", { tabindex: 0, role: "img", "aria-describedby": "matrix-help", class: "matrix" });
    this.told = el("p", { class: "told", role: "status" }, "\u00a0");
    this.node = el("div", { class: "canvas scroll", tabindex: -1 }, this.canvas);
    this.canvas.addEventListener("mousemove", (event) => this.point(event));
    this.canvas.addEventListener("mouseleave", () => this.move(null));
    this.canvas.addEventListener("click", () => this.at && this.choose(this.columns[this.at[1]]));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("theme", () => this.canvas.isConnected && this.draw());
  }

  show(rows, columns) {
    [this.rows, this.columns, this.at] = [rows, columns, null];
    this.canvas.setAttribute("aria-label", `Matrix of ${plural(rows.length, "source")} and ${plural(columns.length, "target")}`);
    this.draw();
  }

  measure() {
    const width = Math.max(300, this.node.clientWidth || 900);
    const longest = Math.max(0, ...[...this.rows, ...this.columns].map((at) => MAP.names[at].length));
    const fit = (this.columns.length ? (width - 20) / (this.columns.length + 8) : 20);
    this.cell = Math.round(Math.min(26, Math.max(3, fit)) * 1.6 ** this.zoom);
    this.margin = this.cell >= LABEL ? Math.min(190, 16 + 6.6 * longest) : 6;
  }

  draw() {
    this.measure();
    const { canvas, cell, margin } = this;
    const [width, height] = [margin + cell * this.columns.length + (cell >= LABEL ? 70 : 6), margin + cell * this.rows.length + 6];
    const scale = Math.min(window.devicePixelRatio || 1, 8000 / Math.max(width, height));
    canvas.width = Math.ceil(width * scale);
    canvas.height = Math.ceil(height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const colour = Object.fromEntries(Object.entries(TONES_OF).map(([reach, name]) => [reach, style.getPropertyValue(name)]));
    pen.scale(scale, scale);
    const gap = cell >= 6 ? 1 : 0;
    this.rows.forEach((source, y) => this.columns.forEach((target, x) => {
      pen.fillStyle = colour[pairOf(source, target)[0]];
      pen.fillRect(margin + x * cell, margin + y * cell, cell - gap, cell - gap);
    }));
    if (cell >= LABEL) this.labels(pen, style);
    if (this.at) this.mark(pen, style);
  }

  labels(pen, style) {
    const { cell, margin } = this;
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "middle";
    const text = (name) => (name.length > 26 ? `${name.slice(0, 25)}…` : name);
    const tone = (axis, position) => { pen.fillStyle = style.getPropertyValue(this.at?.[axis] === position ? "--text" : "--soft"); };
    pen.textAlign = "right";
    this.rows.forEach((source, y) => { tone(0, y); pen.fillText(text(MAP.names[source]), margin - 6, margin + (y + 0.5) * cell, margin - 8); });
    pen.textAlign = "left";
    this.columns.forEach((target, x) => {
      tone(1, x);
      pen.save();
      pen.translate(margin + (x + 0.5) * cell, margin - 6);
      pen.rotate(-Math.PI / 3);
      pen.fillText(text(MAP.names[target]), 0, 0, margin * 1.08);
      pen.restore();
    });
  }

  mark(pen, style) {
    const [y, x] = this.at;
    const { cell, margin } = this;
    pen.strokeStyle = style.getPropertyValue("--text");
    pen.lineWidth = 2;
    pen.strokeRect(margin + x * cell - 1, margin + y * cell - 1, cell + 1, cell + 1);
    pen.globalAlpha = 0.35;
    pen.lineWidth = 1;
    pen.strokeRect(margin, margin + y * cell - 0.5, cell * this.columns.length, cell);
    pen.strokeRect(margin + x * cell - 0.5, margin, cell, cell * this.rows.length);
    pen.globalAlpha = 1;
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((one) => Math.floor((one - this.margin) / this.cell));
    this.move(x >= 0 && y >= 0 && x < this.columns.length && y < this.rows.length ? [y, x] : null);
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Enter" && this.at) this.choose(this.columns[this.at[1]]);
    if (!step || !this.rows.length || !this.columns.length) return;
    event.preventDefault();
    const [y, x] = this.at ?? [-step[0], -step[1]];
    const within = (value, length) => Math.min(length - 1, Math.max(0, value));
    this.move([within(y + step[0], this.rows.length), within(x + step[1], this.columns.length)]);
  }

  move(at) {
    if (String(at) === String(this.at)) return;
    this.at = at;
    this.told.textContent = at ? sentence(this.rows[at[0]], this.columns[at[1]]) : "\u00a0";
    this.draw();
  }
}
