// Now changes by itself: the same rows, by what the server streams. Whoever is not on the
// page comes with the next look.
const rows = new Map(Array.from(document.querySelectorAll("#now tr[data-machine]"), (row) => [row.dataset.machine, row]));
const counts = document.querySelectorAll(".counts li[data-state]");
const pause = document.getElementById("pause");
const asOf = document.getElementById("asof");

function change(machine) {
  const row = rows.get(machine.machine_id);
  const state = row && row.querySelector(".state");
  if (!state || state.classList.contains(machine.status)) return;
  const named = Array.from(counts).find((c) => c.dataset.state === machine.status);
  state.className = "state " + machine.status;
  state.textContent = named ? named.dataset.name : machine.status;
  row.classList.remove("changed");
  requestAnimationFrame(() => row.classList.add("changed"));
}

function count() {
  if (!document.querySelector("#now[data-whole]")) return;
  for (const c of counts) {
    let n = 0;
    for (const row of rows.values()) if (row.querySelector(".state").classList.contains(c.dataset.state)) n++;
    c.querySelector("b").textContent = n.toLocaleString(document.documentElement.lang);
  }
}

function told(event) {
  for (const machine of JSON.parse(event.data).machines) change(machine);
  count();
  const clockOf = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: document.getElementById("zone").textContent });
  asOf.textContent = asOf.dataset.form.replace("%s", clockOf.format(new Date()));
}

let stream = null;
function watch() {
  stream = new EventSource("api/live");
  stream.addEventListener("snapshot", told);
  stream.addEventListener("change", told);
}

if (rows.size && pause) {
  watch();
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) stream.close(); else watch();
  });
}
