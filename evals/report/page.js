"use strict";
// Everything from the data becomes a text node or a number: nothing is ever read as markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const main = document.getElementById("main");

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const child of children.flat(Infinity)) if (child !== null) node.append(child);
  return node;
}
function draw(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
function canvas(width, height, label) {
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}
const num = (value, digits = 4) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const signed = (value, digits = 4) => (value === null || value === undefined ? "–" : (value >= 0 ? "+" : "−") + Math.abs(value).toFixed(digits));
const count = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US"));
const share = (value) => (value === null || value === undefined ? "–" : (100 * value).toFixed(1) + " %");
const colour = (at) => `var(--c${at % 8})`;
const section = (title, ...children) => el("section", {}, el("h2", {}, title), ...children);
const note = (text) => el("p", { class: "soft" }, text);
function table(head, rows, classes) {
  return el("table", {}, el("thead", {}, el("tr", {}, head.map((one) => el("th", { scope: "col" }, one)))),
    el("tbody", {}, rows.map((row, at) => el("tr", { class: classes ? classes[at] : null }, row.map((cell) => cell instanceof Node ? el("td", {}, cell) : el("td", {}, cell))))));
}
function legend(arms, order) {
  return el("div", { class: "legend" }, arms.map((arm) => {
    const swatch = el("i"); swatch.style.background = colour(order.indexOf(arm.name));
    return el("span", {}, swatch, arm.name);
  }));
}

function forest(arm, low, high) {
  const svg = canvas(170, 22, `${arm.name}: ${num(arm.main.mean)}`), at = (value) => 5 + 160 * (value - low) / (high - low || 1);
  if (arm.main.mean === null) return svg;
  svg.append(draw("line", { x1: at(arm.main.low), x2: at(arm.main.high), y1: 11, y2: 11, stroke: "var(--mark)", "stroke-width": 3 }));
  svg.append(draw("circle", { cx: at(arm.main.mean), cy: 11, r: 4.5, fill: "var(--mark)" }));
  return svg;
}

function armsTable(data) {
  const known = data.arms.filter((arm) => arm.name !== "oracle" && arm.main.mean !== null);
  const low = Math.min(...known.map((arm) => arm.main.low)), high = Math.max(...known.map((arm) => arm.main.high));
  const rows = data.arms.map((arm) => {
    const against = arm.against, difference = against && against.paired.difference;
    const better = against && against.adjusted !== null && against.adjusted < 0.05;
    return [arm.name, count(against ? against.paired.people : arm.people), num(arm.main.mean),
      arm.name === "oracle" ? "" : forest(arm, low, high), `${num(arm.main.low, 3)} to ${num(arm.main.high, 3)}`,
      num(arm.metrics["hit_rate@1"], 3), num(arm.metrics["hit_rate@5"], 3), num(arm.metrics["mrr@10"], 3), num(arm.everywhere.mean),
      difference ? el("span", { class: better ? (difference.mean > 0 ? "good" : "bad") : "" }, signed(difference.mean)) : "",
      difference ? `${signed(difference.low, 3)} to ${signed(difference.high, 3)}` : "",
      against ? num(against.adjusted) : "", against ? num(against.paired.effect, 2) : "", against ? num(against.paired.detectable, 3) : "",
      against ? `${against.paired.wins} / ${against.paired.ties} / ${against.paired.losses}` : "",
      arm.fixed ? "" : `${arm.failed + arm.partial} of ${arm.asked}`];
  });
  return section("Arms",
    table(["arm", "people", "NDCG@10", "", "95 %", "HR@1", "HR@5", "MRR@10", "all cases", `− ${data.baseline}`, "95 %", "p (Holm)", "d", "detectable", "win / tie / loss", "failed"],
      rows, data.arms.map((arm) => (arm.name === data.baseline ? "base" : null))),
    note("Quality is of cases whose target is among the candidates; “all cases” counts the others as 0. Coloured differences are significant at 5 % after Holm's correction over all arms. “detectable” is the smallest true difference that this many people would show four times in five. Failed calls are left out here, and counted in the last column."));
}

function costQuality(data) {
  const arms = data.arms.filter((arm) => arm.costs && arm.main.mean !== null);
  const fixed = data.arms.filter((arm) => arm.fixed && ["recall", "popular", "als", "random"].includes(arm.name));
  if (!arms.length) return section("Cost and quality", note("No model was asked."));
  const money = arms.every((arm) => arm.costs.money !== null && arm.costs.money > 0);
  const cost = (arm) => money ? arm.costs.money / arm.asked : (arm.costs.prompt + arm.costs.completion) / arm.asked;
  const w = 620, h = 300, most = Math.max(...arms.map(cost)) * 1.15 || 1;
  const values = [...arms.flatMap((arm) => [arm.main.low, arm.main.high]), ...fixed.map((arm) => arm.main.mean)];
  const low = Math.min(...values) - 0.02, high = Math.max(...values) + 0.02;
  const x = (value) => 55 + (w - 75) * value / most, y = (value) => h - 35 - (h - 55) * (value - low) / (high - low);
  const svg = canvas(w, h, "cost against quality"), order = data.arms.map((arm) => arm.name);
  svg.append(draw("line", { x1: 55, x2: w - 20, y1: h - 35, y2: h - 35, stroke: "var(--line)" }));
  for (let tick = 0; tick <= 4; tick++) {
    const value = low + (high - low) * tick / 4, price = most * tick / 4;
    svg.append(draw("text", { x: 48, y: y(value) + 4, "text-anchor": "end" }, num(value, 2)));
    svg.append(draw("text", { x: x(price), y: h - 18, "text-anchor": "middle" }, money ? price.toPrecision(2) : Math.round(price).toLocaleString("en-US")));
  }
  for (const arm of fixed) {
    svg.append(draw("line", { x1: 55, x2: w - 20, y1: y(arm.main.mean), y2: y(arm.main.mean), stroke: "var(--zero)", "stroke-dasharray": "4 4" }));
    svg.append(draw("text", { x: w - 20, y: y(arm.main.mean) - 4, "text-anchor": "end" }, arm.name));
  }
  for (const arm of arms) {
    const c = colour(order.indexOf(arm.name));
    svg.append(draw("line", { x1: x(cost(arm)), x2: x(cost(arm)), y1: y(arm.main.low), y2: y(arm.main.high), stroke: c, "stroke-width": 2 }));
    svg.append(draw("circle", { cx: x(cost(arm)), cy: y(arm.main.mean), r: 6, fill: c }));
  }
  svg.append(draw("text", { x: w / 2, y: h - 2, "text-anchor": "middle" }, money ? "money for one case" : "tokens for one case"));
  return section("Cost and quality", legend(arms, order), svg, note("NDCG@10 with its 95 % interval; dashed lines are what needs no model."),
    table(["arm", "calls", "tokens in", "cached", "out", "money", "s, median", "s, 95 %"], arms.map((arm) => [arm.name, count(arm.costs.calls), count(arm.costs.prompt), count(arm.costs.cached), count(arm.costs.completion), arm.costs.money === null ? "no price" : num(arm.costs.money, 4), num(arm.costs.seconds_p50, 2), num(arm.costs.seconds_p95, 2)])));
}

function segments(data) {
  const arms = data.arms.filter((arm) => arm.against && arm.name !== "oracle" && arm.segments.length), order = data.arms.map((arm) => arm.name);
  const found = new Map();
  for (const one of data.arms.flatMap((arm) => arm.segments)) {
    const known = found.get(one.kind + one.name);
    if (!known || known.people < one.people) found.set(one.kind + one.name, one);
  }
  const keys = [...found.values()];
  const words = { history: "liked items", platforms: "platforms", new: "" };
  const bar = 9, gap = 16, w = 680, block = arms.length * bar + gap, h = keys.length * block + 30;
  const most = Math.max(0.01, ...arms.flatMap((arm) => arm.segments.flatMap((one) => [Math.abs(one.difference.low), Math.abs(one.difference.high)])));
  const x = (value) => 190 + (w - 200) / 2 + (w - 210) / 2 * value / most;
  const svg = canvas(w, h, "differences by segment");
  svg.append(draw("line", { x1: x(0), x2: x(0), y1: 0, y2: h - 22, stroke: "var(--zero)" }));
  keys.forEach((key, row) => {
    const top = row * block + 4;
    svg.append(draw("text", { x: 0, y: top + block / 2, class: "ink" }, `${key.name} ${words[key.kind]} (${key.people})`));
    arms.forEach((arm, at) => {
      const one = arm.segments.find((each) => each.kind === key.kind && each.name === key.name);
      if (!one || one.difference.mean === null) return;
      const c = colour(order.indexOf(arm.name)), from = Math.min(x(0), x(one.difference.mean));
      svg.append(draw("rect", { x: from, y: top + at * bar, width: Math.max(1, Math.abs(x(one.difference.mean) - x(0))), height: bar - 3, fill: c }));
      svg.append(draw("line", { x1: x(one.difference.low), x2: x(one.difference.high), y1: top + at * bar + 3, y2: top + at * bar + 3, stroke: "var(--soft)" }));
    });
  });
  [-most, 0, most].forEach((value) => svg.append(draw("text", { x: x(value), y: h - 6, "text-anchor": value < 0 ? "start" : value > 0 ? "end" : "middle" }, signed(value, 2))));
  return section("By segment", legend(arms, order), svg, note(`NDCG@10 minus ${data.baseline}'s among these people, with 95 % intervals (not corrected for their number).`));
}

function positions(data) {
  const arms = data.arms.filter((arm) => arm.slots.length), order = data.arms.map((arm) => arm.name);
  if (!arms.length) return section("Position bias", note("No model was asked."));
  const n = Math.max(...arms.flatMap((arm) => arm.slots.map((one) => one.slot))), w = 560, h = 300;
  const x = (slot) => 45 + (w - 60) * (slot - 1) / Math.max(1, n - 1), y = (place) => 15 + (h - 55) * (place - 1) / Math.max(1, n - 1);
  const svg = canvas(w, h, "position bias");
  svg.append(draw("line", { x1: x(1), y1: y(1), x2: x(n), y2: y(n), stroke: "var(--zero)", "stroke-dasharray": "4 4" }));
  svg.append(draw("line", { x1: x(1), x2: x(n), y1: y((n + 1) / 2), y2: y((n + 1) / 2), stroke: "var(--line)" }));
  for (const arm of arms) {
    const points = arm.slots.map((one) => `${x(one.slot).toFixed(1)},${y(one.place).toFixed(1)}`).join(" ");
    svg.append(draw("polyline", { points, fill: "none", stroke: colour(order.indexOf(arm.name)), "stroke-width": 2 }));
  }
  for (const tick of [1, Math.ceil(n / 2), n]) {
    svg.append(draw("text", { x: x(tick), y: h - 22, "text-anchor": "middle" }, String(tick)));
    svg.append(draw("text", { x: 36, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
  }
  svg.append(draw("text", { x: w / 2, y: h - 5, "text-anchor": "middle" }, "place in the shown list"));
  const shuffled = arms.some((arm) => arm.stability);
  return section("Position bias", legend(arms, order), svg, note("Mean place that the model gives to what stands at a place of the shown list. Dashed: the shown order is repeated; level: the place does not matter." + (shuffled ? "" : " Lists were shown in recall order, so a good model too leans towards the diagonal; an arm with shuffle = true tells the two apart.")));
}

function stability(data) {
  const arms = data.arms.filter((arm) => !arm.fixed), order = data.arms.map((arm) => arm.name);
  if (!arms.length) return section("Rank stability", note("No model was asked."));
  const w = 560, block = 54, h = arms.length * block + 24, svg = canvas(w, h, "rank stability");
  const x = (value) => 190 + (w - 240) * (value + 1) / 2;
  [-1, 0, 1].forEach((value) => { svg.append(draw("line", { x1: x(value), x2: x(value), y1: 0, y2: h - 20, stroke: "var(--line)" })); svg.append(draw("text", { x: x(value), y: h - 5, "text-anchor": "middle" }, String(value))); });
  arms.forEach((arm, row) => {
    const bars = [["as recall", data.follows[arm.name]], ["Kendall", arm.stability && arm.stability.kendall], ["RBO", arm.stability && arm.stability.rbo]];
    svg.append(draw("text", { x: 0, y: row * block + 24, class: "ink" }, arm.name));
    bars.forEach(([name, value], at) => {
      const top = row * block + 5 + at * 14;
      svg.append(draw("text", { x: 182, y: top + 9, "text-anchor": "end" }, name));
      if (value === null || value === undefined) svg.append(draw("text", { x: x(0) + 4, y: top + 9 }, "not asked twice"));
      else {
        svg.append(draw("rect", { x: Math.min(x(0), x(value)), y: top, width: Math.max(1, Math.abs(x(value) - x(0))), height: 10, fill: colour(order.indexOf(arm.name)), opacity: at ? 0.65 : 1 }));
        svg.append(draw("text", { x: w - 2, y: top + 9, "text-anchor": "end" }, num(value, 2)));
      }
    });
  });
  const spread = arms.filter((arm) => arm.repeats !== null).map((arm) => `${arm.name} ${num(arm.repeats)}`);
  return section("Rank stability", svg, note("“as recall”: Kendall's tau between the arm's order and recall's. The others compare the answers to one case that was shown in different orders: tau, and rank-biased overlap." + (spread.length ? ` Standard deviation of the mean NDCG@10 from repeat to repeat: ${spread.join(", ")}.` : "")));
}

function beyond(data) {
  return section("Beside accuracy", table(["arm", "catalogue", "novelty, bits", "popularity", "Gini", "diversity", "serendipity", "calibration, nats"],
    data.arms.map((arm) => [arm.name, share(arm.beyond.catalogue), num(arm.beyond.novelty, 2), num(arm.beyond.popularity, 1), num(arm.beyond.gini, 3), num(arm.beyond.diversity, 3), num(arm.beyond.serendipity, 4), num(arm.beyond.calibration, 3)])),
    note("Of the first ten. Popularity: mean number of people who liked an item; Gini: concentration on few items; calibration: divergence of the list's mix of categories from the history's, 0 is the same mix."));
}

function reasons(data) {
  const arms = data.arms.filter((arm) => arm.reasons);
  if (!arms.length) return null;
  const codes = [...new Set(arms.flatMap((arm) => Object.keys(arm.reasons.withheld)))];
  return section("Reasons", table(["arm", "places", "written", "supported", ...codes.map((code) => `withheld: ${code}`), "evidence", "distinct", "characters", "Chinese"],
    arms.map((arm) => [arm.name, count(arm.reasons.places), share(arm.reasons.written), share(arm.reasons.supported), ...codes.map((code) => share(arm.reasons.withheld[code] || 0)), num(arm.reasons.evidence, 2), num(arm.reasons.distinct, 2), num(arm.reasons.characters, 0), share(arm.reasons.chinese)])),
    note("Supported: the model's own text passed the check and was shown; a template stands everywhere else."));
}

function browser(data) {
  const names = data.arms.filter((arm) => !arm.fixed).map((arm) => arm.name), shown = el("div", { id: "case" });
  if (!data.browser.length) return section("Cases", note("No case has its target among the candidates."));
  const label = (one) => `${one.person} · ${one.platform} · target at ${one.target + 1}`;
  const choose = el("select", { id: "choose", "aria-label": "case", on: { change: () => show(Number(choose.value)) } }, data.browser.map((one, at) => el("option", { value: at }, label(one))));
  const step = (by) => { const at = (Number(choose.value) + by + data.browser.length) % data.browser.length; choose.value = at; show(at); };
  function list(title, one, order, reasonsOf) {
    return el("div", {}, el("h3", {}, title), el("ol", { class: "list" }, order.map((position, place) => {
      const move = position - place, told = title === "recall" || !move ? "" : (move > 0 ? `▲ ${move}` : `▼ ${-move}`);
      const item = one.candidates[position];
      const row = el("li", { class: position === one.target ? "hit" : null }, el("span", {}, item.title), el("span", { class: "move" }, told || (title === "recall" ? item.sources.join(", ") : "")));
      const reason = reasonsOf && reasonsOf[place];
      if (reason) row.append(el("div", { class: "reason" }, `${reason.text} [${reason.author}${reason.withheld ? ", withheld: " + reason.withheld : ""}] ${reason.evidence.map((each) => each.text).join(" · ")}`));
      return row;
    })));
  }
  function show(at) {
    const one = data.browser[at], platforms = [...new Set(one.history.map((event) => event.platform))];
    shown.replaceChildren(
      note(`${one.events} events before ${one.at}; asked on ${one.platform}; ${Object.values(one.segments).join(", ")}` + (one.wish ? `; wish: ${one.wish}` : "") + (one.events > one.history.length ? `; the newest ${one.history.length} are shown` : "")),
      el("div", { class: "columns" }, platforms.map((name) => el("details", { open: "" }, el("summary", {}, `History on ${name}`), el("ol", { class: "list" }, one.history.filter((event) => event.platform === name).map((event) =>
        el("li", {}, `${event.day} ${event.title}`, el("span", { class: "move" }, `${event.polarity > 0 ? "♥" : event.polarity < 0 ? "✕" : "·"} ${event.type}${event.value === null ? "" : " " + event.value}`))))))),
      el("div", { class: "columns" }, list("recall", one, one.candidates.map((_, place) => place)), names.flatMap((name) => (one.arms[name] || []).map((answer) =>
        list(name + (answer.repeat ? ` #${answer.repeat + 1}` : "") + (answer.status === "ok" ? "" : ` – ${answer.status}${answer.cause ? ": " + answer.cause : ""}`), one, answer.order, answer.reasons)))),
      el("h3", {}, "Prompts and replies"),
      ...names.flatMap((name) => (one.arms[name] || []).flatMap((answer) => answer.calls.map((call, number) => el("details", { class: "call" },
        el("summary", {}, `${name}${answer.repeat ? " #" + (answer.repeat + 1) : ""}, call ${number + 1}: ${call.model}, ${call.usage.prompt} + ${call.usage.completion} tokens, ${num(call.seconds, 2)} s`),
        call.messages.map(([role, text]) => [el("h3", {}, role), el("pre", {}, text)]), el("h3", {}, "reply"), el("pre", {}, call.reply))))));
  }
  show(0);
  return section("Cases", el("div", { class: "bar" }, el("button", { on: { click: () => step(-1) } }, "‹ previous"), choose, el("button", { id: "next", on: { click: () => step(1) } }, "next ›")),
    data.left_out ? note(`${data.left_out} more are in the run's files.`) : null, shown);
}

function render(at) {
  const data = DATA[at];
  main.replaceChildren(...[
    section(data.runs.join(", "), data.description ? el("p", {}, data.description) : null, ...data.told.map((line) => note(line))),
    armsTable(data), el("div", { class: "two" }, costQuality(data), segments(data)), el("div", { class: "two" }, positions(data), stability(data)),
    beyond(data), reasons(data), browser(data)].filter((one) => one !== null));
  document.querySelectorAll("#tabs button").forEach((button, number) => button.setAttribute("aria-pressed", number === at));
}
if (DATA.length > 1) DATA.forEach((one, at) => document.getElementById("tabs").append(el("button", { on: { click: () => render(at) } }, `${one.runs.join(", ")} on ${one.data.build}`)));
render(0);
