// Puts the views together and starts.

VIEWS.set("overview", { title: "Overview", draw: drawOverview });
VIEWS.set("findings", { title: "Findings", draw: drawFindings, count: findings.length });
if (MAP) {
  VIEWS.set("exposure", { title: "Exposure", draw: drawExposure, count: MAP.ways.length });
  VIEWS.set("reach", { title: "Who may talk to whom", draw: drawReach });
}
if (DATA.unreadable.length) VIEWS.set("problems", { title: "Not read", draw: drawProblems, count: DATA.unreadable.length });

byId("foot").textContent = (DATA.judged ? `Judged: ${DATA.judged}. ` : "") + "Made by Netreeve. This file holds everything that it shows, and asks for nothing from a network.";
look();
tabs();
theme();
show();
addEventListener("hashchange", () => {
  if (!look()) return; // the link that skips to the content
  show();
  scrollTo(0, 0);
  current?.settle();
});
addEventListener("beforeprint", () => current?.paper(true));
addEventListener("afterprint", () => current?.paper(false));
document.documentElement.dataset.ready = "";
