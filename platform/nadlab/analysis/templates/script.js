"use strict";
// a click on a heading sorts by its column, numbers as numbers
for (const heading of document.querySelectorAll("th")) {
  heading.tabIndex = 0;
  const sort = () => {
    const column = heading.cellIndex, body = heading.closest("table").tBodies[0];
    const up = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[column].textContent.trim().replace(/^< /, "");
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)], [m, n] = [parseFloat(x), parseFloat(y)];
      return (up ? 1 : -1) * (isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n);
    };
    body.append(...[...body.rows].sort(order));
  };
  heading.addEventListener("click", sort);
  heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
}
// run links follow the server: the one that shows this page, or the one that the reader names
const field = document.getElementById("server");
if (field) {
  const follow = (server) => {
    for (const link of document.querySelectorAll("a.mlflow")) {
      if (link.href.includes("#/")) link.href = server.replace(/\/+$/, "") + "/" + link.href.slice(link.href.indexOf("#/"));
    }
  };
  const shown = [location.origin, ...(location.ancestorOrigins || [])].find((origin) => origin.startsWith("http"));
  if (shown && shown !== "null") { field.value = shown; follow(shown); }
  field.addEventListener("change", () => follow(field.value));
}
// a link to a closed section opens it
const unfold = () => {
  const fold = document.getElementById(decodeURIComponent(location.hash.slice(1)))?.querySelector(":scope > details");
  if (fold) fold.open = true;
};
addEventListener("hashchange", unfold);
unfold();
// a click on a run id copies it; where the page may not (MLflow's frame), it is selected instead
for (const button of document.querySelectorAll(".run button")) {
  button.addEventListener("click", () => {
    const select = () => getSelection().selectAllChildren(button);
    if (navigator.clipboard) {
      navigator.clipboard.writeText(button.textContent).then(() => button.classList.add("copied"), select);
    } else {
      select();
    }
  });
}
