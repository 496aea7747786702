// Before anything is drawn: the theme that the reader chose. Storage may be forbidden (a page from a folder); then the system's holds.
(function () {
  "use strict";
  let chosen = null;
  try { chosen = localStorage.getItem("unexpire-theme"); } catch { /* as the system has it */ }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  document.documentElement.classList.add("js");
})();
