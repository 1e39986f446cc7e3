// What a lane has where the pointer is: its table says the same in words.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

function clock(minute) {
  const two = (n) => String(n).padStart(2, "0");
  return two(Math.floor(minute / 60) % 24) + ":" + two(Math.floor(minute) % 60);
}

function spanAt(svg, minute) {
  for (const path of svg.querySelectorAll("path[data-state]")) {
    for (const run of path.getAttribute("d").matchAll(/M(\d+) \d+h(\d+)/g)) {
      const from = Number(run[1]), to = from + Number(run[2]);
      if (minute >= from && minute < to) return { from, to, state: path.dataset.name };
    }
  }
  return null;
}

for (const svg of document.querySelectorAll("svg.day")) {
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const span = spanAt(svg, (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width);
    tip.hidden = !span;
    if (!span) return;
    tip.textContent = clock(span.from) + "–" + clock(span.to) + " · " + span.state;
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.clientY + 16 + "px";
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
}
