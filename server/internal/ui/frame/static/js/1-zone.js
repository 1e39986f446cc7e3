// Makes pages pleasant; each is whole without it.

// The zone of the browser, until somebody chooses one.
const zone = document.querySelector('.menu input[name="tz"]');
if (zone && zone.value === "UTC") {
  zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
