// A file may be chosen instead of pasting what is in it: the text comes into the form.
for (const label of document.querySelectorAll("label[data-file]")) {
  const area = label.querySelector("textarea");
  const chooser = document.createElement("label");
  chooser.textContent = label.dataset.file + " ";
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".csv,text/csv,text/plain";
  input.addEventListener("change", async () => {
    if (input.files.length) area.value = await input.files[0].text();
  });
  chooser.append(input);
  label.before(chooser);
}
