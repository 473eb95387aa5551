// What the server cannot know: that scripts run, the browser's time zone, whether the tab is
// seen, and whether someone is just using the part that a live refresh would replace.
"use strict";

document.documentElement.dataset.script = "on";

for (const field of document.querySelectorAll("[data-zone-form] [name=zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}

// One menu at a time, and none after a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

function isInUse(island) {
  const selection = document.getSelection();
  const selecting = selection && !selection.isCollapsed && island.contains(selection.anchorNode);
  return Boolean(selecting || island.querySelector("details.menu[open]"));
}

document.addEventListener("htmx:confirm", (event) => {
  if (!event.target.matches("[data-live]")) return;
  const island = document.querySelector(event.target.getAttribute("hx-target"));
  if (document.hidden || isInUse(island)) event.preventDefault();
});

// A fragment comes from the address that was asked. Anything else is another page (sign-in
// after the session ended, say), which must not land inside this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (!xhr.responseURL || !requestConfig) return;
  const asked = new URL(requestConfig.path, location.href).pathname;
  if (new URL(xhr.responseURL).pathname !== asked) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});

// What somebody has unfolded in a live part stays unfolded when the part is replaced.
let unfolded = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  unfolded = [...event.detail.target.querySelectorAll("details[id][open]:not(.menu)")].map((e) => e.id);
});

document.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) {
    const fold = document.getElementById(id);
    if (fold) fold.open = true;
  }
  unfolded = [];
  document.dispatchEvent(new CustomEvent("rows-changed"));
});
