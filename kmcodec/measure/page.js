"use strict";

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const pictureScripts = [...document.querySelectorAll("script.picture-data")];
const SVG = "http://www.w3.org/2000/svg";
const ALL = "";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  if (chosen !== undefined) select.value = chosen;
}

/* Curves */

const WIDTH = 440, HEIGHT = 290, LEFT = 54, RIGHT = 12, TOP = 10, BOTTOM = 40;
const hidden = new Set();

function marker(index, x, y, color) {
  const r = 4;
  const shapes = [
    () => svg("circle", { cx: x, cy: y, r }),
    () => svg("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
    () => svg("path", { d: `M${x} ${y - r - 1}l${r + 1} ${2 * r}h${-2 * r - 2}z` }),
    () => svg("path", { d: `M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z` }),
    () => svg("path", { d: `M${x} ${y + r + 1}l${r + 1} ${-2 * r}h${-2 * r - 2}z` }),
  ];
  const shape = shapes[index % shapes.length]();
  const hollow = index % (2 * shapes.length) >= shapes.length;
  shape.setAttribute("fill", hollow ? "var(--ground)" : color);
  shape.setAttribute("stroke", color);
  shape.setAttribute("stroke-width", 1.5);
  return shape;
}

function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
    for (const step of [1, 2, 5]) ticks.push(step * 10 ** power);
  const within = ticks.filter((tick) => tick >= low && tick <= high);
  return within.length > 7 ? within.filter((tick) => String(tick)[0] !== "5") : within;
}

function evenTicks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1e6; tick += step) ticks.push(tick);
  return ticks.map((tick) => Number(tick.toPrecision(10)));
}

const shownBytes = (bytes) => (bytes >= 1e6 ? `${bytes / 1e6} M` : bytes >= 1e3 ? `${bytes / 1e3} k` : `${bytes}`);

function panel(points, quality, index) {
  const curve = points.filter((point) => !point.lossless && point.values[index] !== null);
  const alone = points.filter((point) => point.alone);
  const visible = [...curve, ...alone].filter((point) => !hidden.has(point.series));
  const figure = element("figure", {}, element("figcaption", {}, `${quality.title}, ${quality.higher ? "higher" : "lower"} is better`));
  const values = visible.filter((point) => !point.alone).map((point) => point.values[index]);
  if (!values.length) {
    figure.append(element("p", { class: "hint" }, "Nothing to draw."));
    return figure;
  }
  const sizes = visible.map((point) => point.bytes);
  const low = Math.min(...sizes) / 1.1, high = Math.max(...sizes) * 1.1;
  const spread = Math.max(...values) - Math.min(...values) || 1;
  const bottom = Math.min(...values) - spread * 0.05, top = Math.max(...values) + spread * 0.05;
  const x = (bytes) => LEFT + (Math.log(bytes / low) / Math.log(high / low)) * (WIDTH - LEFT - RIGHT);
  const share = (value) => (quality.higher ? (value - bottom) / (top - bottom) : (top - value) / (top - bottom));
  const y = (value) => HEIGHT - BOTTOM - share(value) * (HEIGHT - BOTTOM - TOP);
  const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": `Curves of ${quality.title} over bytes, of ${data.series.map((series) => series.name).join(", ")}; the figures are in the table.` });
  for (const tick of logTicks(low, high))
    image.append(svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: HEIGHT - BOTTOM }),
      svg("text", { x: x(tick), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, shownBytes(tick)));
  for (const tick of evenTicks(bottom, top))
    image.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, `${tick}`));
  image.append(svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "file, bytes"));
  data.series.forEach((series, i) => {
    if (hidden.has(series.name)) return;
    const group = svg("g", { class: "series" });
    const own = curve.filter((point) => point.series === series.name).sort((a, b) => a.bytes - b.bytes);
    const line = own.map((point) => `${x(point.bytes).toFixed(1)},${y(point.values[index]).toFixed(1)}`).join(" ");
    group.append(svg("polyline", { points: line, fill: "none", stroke: series.color, "stroke-width": series.name.startsWith("kmcodec") ? 3 : 1.6 }));
    for (const point of own) {
      const mark = marker(i, x(point.bytes), y(point.values[index]), series.color);
      mark.append(svg("title", {}, `${point.series}, ${point.setting}: ${Math.round(point.bytes)} bytes, ${point.values[index].toFixed(quality.digits)}`));
      group.append(mark);
    }
    if (!own.length)
      for (const point of alone.filter((each) => each.series === series.name))
        group.append(svg("line", { x1: x(point.bytes), x2: x(point.bytes), y1: TOP, y2: HEIGHT - BOTTOM, stroke: series.color, "stroke-width": 1.6, "stroke-dasharray": "6 4" },
          svg("title", {}, `${point.series}: ${Math.round(point.bytes)} bytes, lossless`)));
    image.append(group);
  });
  figure.append(image);
  return figure;
}

function drawCurves() {
  const picture = byId("curve-picture").value;
  const points = picture === ALL ? data.means : data.records.filter((record) => record.picture === picture);
  byId("panels").replaceChildren(...data.qualities.map((quality, index) => panel(points, quality, index)));
}

function drawLegend() {
  byId("legend").replaceChildren(...data.series.map((series, i) => {
    const dashed = data.means.every((mean) => mean.series !== series.name || mean.alone);
    const sample = svg("svg", { viewBox: "0 0 26 14", "aria-hidden": "true", class: "series" },
      svg("line", { x1: 0, x2: 26, y1: 7, y2: 7, stroke: series.color, "stroke-width": 2, "stroke-dasharray": dashed ? "6 4" : "none" }));
    if (!dashed) sample.append(marker(i, 13, 7, series.color));
    const button = element("button", { type: "button", "aria-pressed": "true" }, sample, series.name);
    button.addEventListener("click", () => {
      if (!hidden.delete(series.name)) hidden.add(series.name);
      button.setAttribute("aria-pressed", String(!hidden.has(series.name)));
      drawCurves();
    });
    return button;
  }));
}

/* BD-rates */

function drawBdRates() {
  const reference = byId("bd-reference").value;
  const rates = data.bdRates.filter((rate) => rate.reference === reference);
  const all = data.pictures.length;
  const head = element("tr", {}, element("th", { scope: "col" }, "codec"),
    ...data.qualities.map((quality) => element("th", { scope: "col", class: "number" }, quality.title.replace(", dB", ""))));
  const rows = data.series.filter((series) => rates.some((rate) => rate.series === series.name)).map((series) =>
    element("tr", {}, element("th", { scope: "row" }, series.name), ...data.qualities.map((quality) => {
      const rate = rates.find((each) => each.series === series.name && each.quality === quality.column);
      const text = rate ? `${rate.percent > 0 ? "+" : ""}${rate.percent.toFixed(1)} %${rate.pictures < all ? ` (${rate.pictures})` : ""}` : "–";
      return element("td", { class: "number" }, text);
    })));
  byId("bd").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

/* The table */

function sortBy(column) {
  const headings = [...byId("figures").querySelectorAll("th")];
  const heading = headings[column];
  const rises = heading.getAttribute("aria-sort") !== "ascending";
  headings.forEach((each) => each.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", rises ? "ascending" : "descending");
  const body = byId("figures").tBodies[0];
  const numeric = heading.classList.contains("number");
  const rows = [...body.rows].map((row) => {
    const cell = row.cells[column];
    return { row, value: numeric ? (cell.dataset.value === "" ? null : Number(cell.dataset.value)) : cell.textContent };
  });
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
    const order = numeric ? a.value - b.value : a.value.localeCompare(b.value, "en", { numeric: true });
    return rises ? order : -order;
  });
  body.append(...rows.map((each) => each.row));
  byId("sorted").textContent = `Sorted by ${heading.textContent}, ${rises ? "rising" : "falling"}.`;
}

function filterTable() {
  const picture = byId("table-picture").value;
  for (const row of byId("figures").tBodies[0].rows) row.hidden = picture !== ALL && row.cells[0].textContent !== picture;
}

/* Pictures */

let shown = null; // the picture chosen
const ORIGINAL = "original";

function sideOf(id) {
  const value = byId(id).value;
  if (value === ORIGINAL) return { name: "original", codec: "original", url: shown.original, figures: `${shown.width} × ${shown.height}`, palette: null };
  const view = shown.views[Number(value)];
  return { ...view, url: view.url || shown.original };
}

function choosePicture() {
  shown = JSON.parse(pictureScripts[Number(byId("picture").value)].textContent);
  const kept = [byId("left").value, byId("right").value];
  const options = [[ORIGINAL, "original"], ...shown.views.map((view, i) => [String(i), view.name])];
  const known = (value) => options.some(([each]) => each === value && value !== "");
  fill(byId("left"), options, known(kept[0]) ? kept[0] : ORIGINAL);
  const first = shown.views.length ? "0" : ORIGINAL;
  fill(byId("right"), options, known(kept[1]) ? kept[1] : first);
  applyZoom();
  chooseSides();
}

function chooseSides() {
  for (const id of ["left", "right"]) {
    const side = sideOf(id);
    byId(`${id}-image`).src = side.url;
    byId(`${id}-image`).alt = `${shown.name}, ${side.name}`;
    byId(`${id}-caption`).textContent = `${id === "left" ? "Left" : "Right"}: ${side.name} (${side.figures})`;
  }
  drawPalettes();
  applyMode();
}

function applySplit() {
  const split = Number(byId("split").value);
  byId("left-image").style.clipPath = `inset(0 ${100 - split}% 0 0)`;
  byId("right-image").style.clipPath = `inset(0 0 0 ${split}%)`;
  byId("divider").style.left = `${split}%`;
  byId("split").setAttribute("aria-valuetext", `${split} % left, ${100 - split} % right`);
}

function applyZoom() {
  const zoom = byId("zoom").value, frame = byId("frame"), stage = byId("stage");
  const fits = Math.min(stage.clientWidth / shown.width, (window.innerHeight * 0.72) / shown.height);
  const factor = zoom === "fit" ? fits : Number(zoom);
  const center = [(stage.scrollLeft + stage.clientWidth / 2) / frame.clientWidth, (stage.scrollTop + stage.clientHeight / 2) / frame.clientHeight];
  frame.style.width = `${Math.floor(shown.width * factor)}px`;
  frame.style.height = `${Math.floor(shown.height * factor)}px`;
  frame.classList.toggle("large", factor >= 1.5);
  stage.scrollLeft = center[0] * frame.clientWidth - stage.clientWidth / 2;
  stage.scrollTop = center[1] * frame.clientHeight - stage.clientHeight / 2;
}

function stepZoom(step) {
  const select = byId("zoom");
  select.selectedIndex = Math.min(select.length - 1, Math.max(0, select.selectedIndex + step));
  applyZoom();
}

async function applyMode() {
  const mode = byId("mode").value, map = mode !== "split", canvas = byId("error");
  canvas.hidden = !map;
  byId("split-label").hidden = map;
  for (const id of ["left-image", "right-image", "divider"]) byId(id).hidden = map;
  if (map) await drawError(canvas, Number(mode));
}

async function pixelsOf(image, background) {
  await image.decode();
  const canvas = element("canvas", { width: shown.width, height: shown.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = background;
  context.fillRect(0, 0, shown.width, shown.height);
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, shown.width, shown.height);
}

async function drawError(canvas, gain) {
  const out = new ImageData(shown.width, shown.height);
  for (const background of ["#000", "#fff"]) {
    const a = (await pixelsOf(byId("left-image"), background)).data, b = (await pixelsOf(byId("right-image"), background)).data;
    for (let i = 0; i < a.length; i += 4) {
      for (let c = i; c < i + 3; c++) out.data[c] = Math.max(out.data[c], Math.min(255, gain * Math.abs(a[c] - b[c])));
      out.data[i + 3] = 255;
    }
  }
  canvas.width = shown.width;
  canvas.height = shown.height;
  canvas.getContext("2d").putImageData(out, 0, 0);
  canvas.setAttribute("aria-label", `Error map of ${shown.name}: absolute differences between ${sideOf("left").name} and ${sideOf("right").name}, times ${gain}`);
}

function drawPalettes() {
  const parts = [];
  for (const [id, title] of [["left", "Left"], ["right", "Right"]]) {
    const { palette, name } = sideOf(id);
    if (!palette) continue;
    const list = element("ul", { class: "swatches", "aria-label": `Palette of ${name}` });
    for (const [color, share] of palette) {
      const text = `${color}, ${(100 * share).toFixed(share < 0.01 ? 3 : 1)} % of the pixels`;
      const item = element("li", { title: text, role: "img", "aria-label": text });
      item.style.background = color;
      list.append(item);
    }
    const count = palette.length === 1 ? "1 colour" : `${palette.length} colours`;
    parts.push(element("h3", {}, `${title}: ${name}, palette of ${count}`), list);
  }
  byId("palettes").replaceChildren(...parts);
}

function dragDivider(event) {
  if (event.pointerType !== "mouse" || !(event.buttons & 1)) return;
  const box = byId("frame").getBoundingClientRect();
  byId("split").value = Math.round((100 * (event.clientX - box.left)) / box.width);
  applySplit();
  event.preventDefault();
}

/* Start */

const names = data.pictures.map((name) => [name, name]);
const all = data.pictures.length > 1 ? [[ALL, `all ${data.pictures.length} pictures`]] : [];
fill(byId("curve-picture"), data.pictures.length > 1 ? [[ALL, `all ${data.pictures.length} pictures, means`], ...names] : names);
fill(byId("table-picture"), [...all, ...names]);
fill(byId("bd-reference"), data.series.filter((series) => data.bdRates.some((rate) => rate.reference === series.name)).map(({ name }) => [name, name]));
byId("curve-picture").addEventListener("change", drawCurves);
byId("bd-reference").addEventListener("change", drawBdRates);
byId("table-picture").addEventListener("change", filterTable);
[...byId("figures").querySelectorAll("th")].forEach((heading, column) => heading.firstChild.addEventListener("click", () => sortBy(column)));
drawLegend();
drawCurves();
drawBdRates();

if (pictureScripts.length) {
  fill(byId("picture"), pictureScripts.map((script, i) => [String(i), script.dataset.name]));
  byId("picture").addEventListener("change", choosePicture);
  for (const id of ["left", "right"]) byId(id).addEventListener("change", chooseSides);
  byId("zoom").addEventListener("change", applyZoom);
  byId("mode").addEventListener("change", applyMode);
  byId("split").addEventListener("input", applySplit);
  byId("frame").addEventListener("pointerdown", dragDivider);
  byId("frame").addEventListener("pointermove", dragDivider);
  byId("frame").addEventListener("dragstart", (event) => event.preventDefault());
  byId("stage").addEventListener("keydown", (event) => {
    if (event.key === "+" || event.key === "=") stepZoom(1);
    else if (event.key === "-") stepZoom(-1);
    else return;
    event.preventDefault();
  });
  window.addEventListener("resize", applyZoom);
  applySplit();
  choosePicture();
} else {
  byId("compare").hidden = true;
  byId("no-pictures").hidden = false;
}
