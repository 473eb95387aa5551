// Shortcuts, all off while typing; each has a visible control that does the same.
"use strict";

(() => {
  let current = null; // id of the marked row, so that it survives a swap

  const rows = () => [...document.querySelectorAll("[data-rows] [data-row]")];

  function isTyping(target) {
    return target.isContentEditable || target.matches("input:not([type=checkbox], [type=radio]), textarea, select");
  }

  function mark(row) {
    for (const other of document.querySelectorAll("[data-row][data-current]")) {
      delete other.dataset.current;
    }
    if (!row) return;
    row.dataset.current = "true";
    current = row.id;
  }

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.id === current);
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    mark(next);
    const link = next.querySelector("[data-open]");
    (link || next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function inRow(selector) {
    const row = current && document.getElementById(current);
    return row ? row.querySelector(selector) : null;
  }

  function press(selector) {
    const control = document.querySelector(selector);
    if (control) control.click();
    return Boolean(control);
  }

  function closeTopmost() {
    const dialog = document.querySelector("dialog[open]");
    if (dialog) return dialog.close();
    const menus = document.querySelectorAll("details.menu[open]");
    const menu = menus[menus.length - 1];
    if (!menu) return undefined;
    menu.open = false;
    return menu.querySelector("summary").focus();
  }

  const actions = {
    "/": () => {
      const field = document.querySelector("[data-search]") || document.getElementById("search");
      if (field) { field.focus(); field.select(); }
    },
    j: () => step(1),
    k: () => step(-1),
    x: () => inRow("[data-select]")?.click(),
    a: () => [...document.querySelectorAll("[data-act]")].find((e) => e.checkVisibility())?.focus(),
    e: () => (inRow("[data-edit]") || document.querySelector("main [data-edit]"))?.click(),
    "?": () => press("[data-shortcut='?']"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (isTyping(event.target)) event.target.blur();
      else closeTopmost();
      return;
    }
    if (document.documentElement.dataset.shortcuts === "off") return;
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "Enter" && event.target === document.body) {
      inRow("[data-open]")?.click();
      return;
    }
    const act = actions[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-row]");
    if (row) mark(row);
  });

  document.addEventListener("rows-changed", () => {
    const row = current && document.getElementById(current);
    if (row) row.dataset.current = "true";
  });
})();
