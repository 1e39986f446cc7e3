// A click on a lane of one day chooses the hour there, as its link does.
const chooseHours = document.querySelectorAll("nav.hours a");
for (const lane of document.querySelectorAll("svg.day.large, svg.kinds, svg.strip")) {
  if (!chooseHours.length) break;
  lane.addEventListener("click", (event) => {
    const box = lane.getBoundingClientRect();
    const hour = Math.floor((event.clientX - box.left) / box.width * chooseHours.length);
    chooseHours[Math.max(0, Math.min(chooseHours.length - 1, hour))].click();
  });
}
