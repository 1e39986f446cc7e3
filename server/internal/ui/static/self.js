// Sends what stands behind # in the form, so that nobody has to paste it, and takes it out
// of the address and the browser's history first.
const form = document.getElementById("open");
const link = location.hash.slice(1);
if (form && link) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.link.value = link;
  form.elements.tz.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  form.requestSubmit();
}
