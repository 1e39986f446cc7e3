// Now changes by itself. A state that is streamed is changed in its row; whatever else has
// changed is taken from the page itself, asked for again: its rows are made in one place.
const table = document.querySelector("#now[data-changes]");
const pause = document.getElementById("pause");
const asOf = document.getElementById("asof");
const said = document.getElementById("said");
const askEvery = 30e3, askSoon = 10e3, sayEvery = 60e3, retryMost = 60e3;

const countsOf = (page) => Array.from(page.querySelectorAll(".counts li[data-state]"));
const rowsOf = (page) => new Map(Array.from(page.querySelectorAll("#now tbody tr"), (row) => [row.dataset.key, row]));
let rows = new Map(), paused = false, lastSaid = 0, asking = 0;

function flash(row) {
  row.classList.remove("changed");
  requestAnimationFrame(() => row.classList.add("changed"));
}

function change(machine) {
  const row = rows.get(machine.machine_id);
  if (!row) return false;
  const state = row.querySelector(".state");
  if (state.classList.contains(machine.status)) return true;
  const gone = ["offline", "not_collected"];
  if (gone.includes(machine.status) || gone.some((name) => state.classList.contains(name))) return false; // its last report changes as well
  const named = countsOf(document).find((c) => c.dataset.state === machine.status);
  state.className = "state " + machine.status;
  state.textContent = named ? named.dataset.name : machine.status;
  flash(row);
  return true;
}

function count() {
  if (!table.dataset.whole) return;
  for (const c of countsOf(document)) {
    let n = 0;
    for (const row of rows.values()) if (row.querySelector(".state").classList.contains(c.dataset.state)) n++;
    c.querySelector("b").textContent = n.toLocaleString(document.documentElement.lang);
  }
}

// A screen reader hears the counts once a minute, not each row.
function say() {
  if (Date.now() - lastSaid < sayEvery) return;
  lastSaid = Date.now();
  said.textContent = countsOf(document).map((c) => c.querySelector("b").textContent + " " + c.dataset.name).join(", ");
}

function current() {
  const clockOf = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: document.getElementById("zone").textContent });
  asOf.dataset.at = clockOf.format(new Date());
  asOf.textContent = asOf.dataset.form.replace("%s", asOf.dataset.at);
  asOf.classList.remove("old");
  say();
}

function outdated() {
  if (asOf.dataset.at) asOf.textContent = asOf.dataset.old.replace("%s", asOf.dataset.at);
  asOf.classList.add("old");
}

// Takes what has changed from the page as it is now, row by row.
function take(page) {
  if (!page || !page.querySelector("#now[data-changes]")) { outdated(); return; }
  const now = rowsOf(page), body = table.tBodies[0];
  for (const [key, row] of rows) if (!now.has(key)) row.remove();
  let before = null;
  for (const [key, fresh] of now) {
    let row = rows.get(key);
    const same = row && row.cells.length === fresh.cells.length && row.textContent === fresh.textContent;
    if (!same) {
      const made = document.importNode(fresh, true);
      if (row) row.replaceWith(made);
      row = made;
      flash(row);
    }
    const place = before ? before.nextSibling : body.firstChild;
    if (!row.parentNode || (before && row.previousElementSibling !== before)) body.insertBefore(row, place);
    now.set(key, row);
    before = row;
  }
  rows = now;
  const counts = countsOf(page);
  countsOf(document).forEach((c, i) => { if (counts[i]) c.querySelector("b").textContent = counts[i].querySelector("b").textContent; });
  current();
}

function ask() {
  const request = new XMLHttpRequest();
  request.open("GET", location.href);
  request.responseType = "document";
  request.onload = () => { if (!paused) take(request.status === 200 ? request.response : null); };
  request.onerror = outdated;
  request.send();
}

function askIn(time) {
  if (asking || paused) return;
  asking = setTimeout(() => { asking = 0; ask(); }, time);
}

function told(event) {
  const known = JSON.parse(event.data).machines.map(change);
  // Who is not on a page of a group or a search is of no interest to it.
  const filtered = /[?&](q|group|state)=[^&]/.test(location.search);
  if (known.includes(false) && (!filtered || event.type === "change")) askIn(askSoon);
  count();
  current();
}

let stream = null, retry = 5e3;
function watch() {
  if (table.dataset.changes !== "stream") return;
  stream = new EventSource("api/live");
  stream.addEventListener("open", () => { retry = 5e3; });
  stream.addEventListener("snapshot", told);
  stream.addEventListener("change", told);
  stream.addEventListener("error", () => {
    outdated();
    if (stream.readyState !== EventSource.CLOSED || paused) return; // it is taken up again by itself
    setTimeout(() => { if (!paused) watch(); }, retry);
    retry = Math.min(2 * retry, retryMost);
  });
}

if (table && pause) {
  rows = rowsOf(document);
  lastSaid = Date.now();
  watch();
  if (table.dataset.changes === "ask") setInterval(() => { if (!paused && !document.hidden) ask(); }, askEvery);
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    if (stream) stream.close();
    clearTimeout(asking);
    asking = 0;
    if (paused) return;
    ask();
    watch();
  });
}
