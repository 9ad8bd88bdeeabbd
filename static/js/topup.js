// The form of a top-up: a typed amount and a chosen card exclude each other.
(function () {
  "use strict";
  const form = document.getElementById("topup-form");
  if (!form) return;
  const entry = form.elements.amount;

  form.addEventListener("change", (event) => {
    if (event.target.name === "preset") entry.value = "";
  });
  entry.addEventListener("input", () => {
    if (!entry.value.trim()) return;
    for (const card of form.querySelectorAll("[name=preset]")) card.checked = false;
  });
})();
