// What a lane has where the pointer is, or where arrow keys lead: its table says the same in
// words.
const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);

function clockOf(svg) {
  const day = svg.closest("[data-start]");
  const format = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: day.dataset.zone });
  return (minute) => format.format(new Date((Number(day.dataset.start) + 60 * minute) * 1000));
}

// All that a lane has, the first first.
function spansOf(svg) {
  const spans = [];
  for (const path of svg.querySelectorAll("path[data-state]")) {
    for (const run of path.getAttribute("d").matchAll(/M(\d+) \d+h(\d+)/g)) {
      spans.push({ from: Number(run[1]), to: Number(run[1]) + Number(run[2]), state: path.dataset.name });
    }
  }
  return spans.sort((a, b) => a.from - b.from);
}

function show(svg, span, x, y) {
  tip.hidden = !span;
  if (!span) return;
  const clock = clockOf(svg), long = span.to - span.from;
  tip.textContent = clock(span.from) + "–" + clock(span.to) + " · " + span.state + " · " + Math.floor(long / 60) + ":" + String(long % 60).padStart(2, "0");
  tip.style.left = Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = y + 16 + "px";
}

// Of all lanes one is reached by Tab; arrow keys lead along it, and to the others.
const lanes = Array.from(document.querySelectorAll("[data-start] svg.day"));

function enter(svg, at) {
  for (const lane of lanes) lane.setAttribute("tabindex", lane === svg ? "0" : "-1");
  const spans = spansOf(svg), box = svg.getBoundingClientRect();
  svg.dataset.at = Math.max(0, Math.min(spans.length - 1, at));
  const span = spans[svg.dataset.at];
  show(svg, span, span ? box.left + span.from / svg.viewBox.baseVal.width * box.width : 0, box.bottom - 12);
}

lanes.forEach((svg, i) => {
  svg.setAttribute("tabindex", i === 0 ? "0" : "-1");
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const minute = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    show(svg, spansOf(svg).find((s) => minute >= s.from && minute < s.to), event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  svg.addEventListener("focus", () => enter(svg, Number(svg.dataset.at || 0)));
  svg.addEventListener("blur", () => { tip.hidden = true; });
  svg.addEventListener("keydown", (event) => {
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key], across = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") tip.hidden = true;
    if (along) enter(svg, Number(svg.dataset.at || 0) + along);
    if (across && lanes[i + across]) lanes[i + across].focus();
    if (along || across) event.preventDefault();
  });
});
