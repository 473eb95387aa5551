// Ticked rows: how many there are, said and shown; the box for all of a page; ranges with Shift.
// What is done with them is a form that works without this.
"use strict";

(() => {
  let last = null; // the box that was ticked last, where a range begins

  const boxes = () => [...document.querySelectorAll("[data-select]")];

  function tell() {
    const bar = document.querySelector("[data-selection]");
    if (!bar) return;
    const all = boxes();
    const count = all.filter((box) => box.checked).length;
    const place = bar.querySelector("[data-selected-count]");
    if (place.textContent !== String(count)) place.textContent = String(count);
    const page = bar.querySelector("[data-select-page]");
    page.checked = count > 0 && count === all.length;
    page.indeterminate = count > 0 && !page.checked;
    bar.dataset.count = String(count);
    bar.dataset.whole = String(page.checked);
  }

  function tickRange(from, to) {
    const all = boxes();
    const [start, end] = [all.indexOf(from), all.indexOf(to)].sort((a, b) => a - b);
    if (start < 0) return;
    for (const box of all.slice(start, end + 1)) box.checked = to.checked;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.matches("[data-select]")) return;
    if (event.shiftKey && last?.isConnected) tickRange(last, event.target);
    last = event.target;
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-select-page]")) {
      for (const box of boxes()) box.checked = event.target.checked;
    }
    tell();
  });

  document.addEventListener("reset", () => setTimeout(tell));
  document.addEventListener("rows-changed", tell);
  window.addEventListener("pageshow", tell); // going back restores ticks
  tell();
})();
