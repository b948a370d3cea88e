"use strict";
document.querySelectorAll("div.table").forEach((box) => {
  const body = box.querySelector("tbody");
  const heads = [...box.querySelectorAll("th")];
  const rows = [...body.rows];
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.key === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.key);
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.sort((one, two) => {
      const a = key(one, column), b = key(two, column);
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
    });
    body.append(...rows);
  }));
  const filter = box.querySelector("input");
  if (filter) filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    rows.forEach((row) => { row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word)); });
  });
});
const opened = [];
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((item) => { item.open = true; opened.push(item); }));
addEventListener("afterprint", () => opened.splice(0).forEach((item) => { item.open = false; }));
