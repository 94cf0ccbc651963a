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
