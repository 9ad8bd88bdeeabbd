// select2 draws a choice of its own beside the real one; this gives it the real one's name.
(function () {
  "use strict";
  function name() {
    for (const box of document.querySelectorAll(".select2-container")) {
      const select = box.previousElementSibling;
      const label = select?.labels?.[0];
      const shown = box.querySelector(".select2-selection__rendered");
      if (!label || !shown || shown.hasAttribute("aria-labelledby")) continue;
      label.id ||= `${select.id}-label`;
      shown.setAttribute("aria-labelledby", label.id);
      box.querySelector("[role=combobox]")?.setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
    }
  }
  new MutationObserver(name).observe(document, { childList: true, subtree: true });
})();
