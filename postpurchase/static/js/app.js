/* What pages do beyond HTML: focus after a swap, ticked rows, keys, dialogs. Every page works without it. */
"use strict";

let used = null;
let polled = false;
document.addEventListener("htmx:beforeRequest", (event) => {
  const from = event.detail.elt;
  used = from.closest("[id]")?.id || null;
  /* A part that refreshes by itself takes the focus only if it had it. */
  polled = from.matches("[hx-trigger^=every]") && !from.contains(document.activeElement);
  document.getElementById("listing")?.setAttribute("aria-busy", "true");
});

/* After a swap focus stays on the control that was used, else it goes to the new part's heading. */
document.addEventListener("htmx:afterSettle", (event) => {
  const part = event.detail.target?.isConnected ? event.detail.target : document.getElementById("listing");
  if (document.activeElement && document.activeElement !== document.body) return;
  if (polled) return;
  const next = (used && used !== "listing" && document.getElementById(used)) || part?.querySelector("h1, h2, [data-focus]");
  if (!next) return;
  if (!next.matches("a, button, input, select, textarea, [tabindex]")) next.tabIndex = -1;
  next.focus({ preventScroll: true });
});

/* A part that refreshes by itself is heard when its words change, not with each look. */
document.addEventListener("htmx:afterSettle", () => {
  const say = document.querySelector("[data-say]")?.dataset.say, live = document.getElementById("live");
  if (say && live && live.textContent !== say) live.textContent = say;
});

/* A request that fails says so; nothing on the page is lost. */
for (const name of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(name, () => {
    document.getElementById("listing")?.removeAttribute("aria-busy");
    document.getElementById("live").textContent = document.body.dataset.failed || "The page could not be loaded. Nothing was changed. Please try again.";
  });
}

function countTicked(table) {
  const boxes = [...table.querySelectorAll("input[name=ids]")];
  const ticked = boxes.filter((box) => box.checked).length;
  for (const box of boxes) box.closest("tr").classList.toggle("sel", box.checked);
  const label = document.querySelector("[data-selected]");
  if (label) label.textContent = label.textContent.replace(/[:\d\s]*$/, `: ${ticked}`);
  const all = table.querySelector("[data-check-all]");
  if (all) { all.checked = ticked > 0 && ticked === boxes.length; all.indeterminate = ticked > 0 && ticked < boxes.length; }
}
document.addEventListener("change", (event) => {
  const table = event.target.closest("table");
  if (!table) return;
  if (event.target.matches("[data-check-all]")) {
    for (const box of table.querySelectorAll("input[name=ids]")) box.checked = event.target.checked;
  }
  if (event.target.matches("[data-check-all], input[name=ids]")) countTicked(table);
});

/* Keys: "/" goes to the search box. Never while something is being typed. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const find = document.getElementById("find");
  if (find && find.offsetParent) { event.preventDefault(); find.focus(); find.select(); }
});

/* Dialogs: a button with data-dialog opens it, data-close closes it. Without script such a button is a plain link or submit. */
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog?.showModal) { event.preventDefault(); dialog.showModal(); }
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
});

/* Buttons of a form that is being sent keep their width and cannot be pressed twice. */
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  if (event.target.method !== "post" || event.target.closest("[hx-post]")) return;
  event.target.dataset.sent = "1";
  event.submitter?.setAttribute("aria-disabled", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-disabled]")?.removeAttribute("aria-disabled");
  }
});

/* Copy buttons exist only where they work. */
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    document.getElementById("live").textContent = button.dataset.done || "";
  });
}

/* An error summary or a refused form takes the focus when the page opens. */
document.querySelector("[data-focus]")?.focus();
