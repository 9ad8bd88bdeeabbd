// Runs before the first paint. The server has already drawn the theme of the cookie; this covers
// pages from the back/forward cache and browsers that lost the cookie but kept localStorage.
(function () {
  "use strict";
  const root = document.documentElement;
  const known = ["light", "dark", "auto"];

  function chosen() {
    const cookie = document.cookie.match(/(?:^|; )theme=(light|dark|auto)(?:;|$)/);
    if (cookie) return cookie[1];
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is blocked: the server's answer stands
    }
  }

  function apply() {
    const theme = chosen();
    if (known.includes(theme)) root.setAttribute("data-bs-theme", theme);
  }

  apply();
  root.classList.add("has-js");
  window.addEventListener("pageshow", apply);
})();
