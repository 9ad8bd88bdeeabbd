// Small comforts, all optional: every page works without them. Behaviour hangs on data attributes,
// so that markup swapped in by htmx behaves like the rest; texts come from data attributes too.
(function () {
  "use strict";
  const root = document.documentElement;
  const body = document.body;

  const closest = (event, selector) =>
    event.target instanceof Element ? event.target.closest(selector) : null;

  function announce(text) {
    const place = document.getElementById("announcer");
    if (!place) return;
    place.textContent = "";
    setTimeout(() => { place.textContent = text; }, 50);
  }

  // A message of our own, in the same dress as the server's.
  function say(text) {
    const list = document.getElementById("messages");
    if (!list || !text) return;
    const box = document.createElement("div");
    const words = document.createElement("p");
    box.className = "message message-error";
    box.setAttribute("role", "alert");
    words.textContent = text;
    box.append(words);
    list.replaceChildren(box);
  }

  // Copy: data-copy="text"
  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      say(body.dataset.textFailed);
      return;
    }
    button.classList.add("is-done");
    announce(body.dataset.textCopied);
    setTimeout(() => button.classList.remove("is-done"), 2000);
  }

  // Theme: the form works by itself; here it works without leaving the page
  function setTheme(theme) {
    root.setAttribute("data-bs-theme", theme);
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // storage is blocked: the cookie is enough
    }
    for (const button of document.querySelectorAll("[data-theme-switch] button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  }

  // Passwords: data-reveal="id of the input"
  function reveal(button) {
    const input = document.getElementById(button.dataset.reveal);
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  }

  document.addEventListener("click", (event) => {
    const copier = closest(event, "[data-copy]");
    if (copier) copy(copier);

    const closer = closest(event, "[data-dismiss]");
    if (closer) closer.closest(closer.dataset.dismiss)?.remove();

    if (closest(event, "[data-print]")) window.print();

    const revealer = closest(event, "[data-reveal]");
    if (revealer) reveal(revealer);

    // data-fill="#input" value="100": a preset
    const filler = closest(event, "[data-fill]");
    if (filler) {
      const input = document.querySelector(filler.dataset.fill);
      input.value = filler.value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }

    // data-dialog="id": open; method="dialog" or Esc closes
    const opener = closest(event, "[data-dialog]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog) {
        event.preventDefault();
        dialog.showModal();
      }
    }

    // menus close when one clicks elsewhere
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details[data-menu][open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    const typing = closest(event, "input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("main input[type=search], [data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    }
  });

  // One submit per click. The button is switched off after its value has been taken along, and
  // on again when the page comes back or the answer was a download.
  const resting = new Set();

  function rest(button) {
    button.disabled = true;
    button.classList.add("is-busy");
    resting.add(button);
    setTimeout(() => wake(button), 8000);
  }

  function wake(button) {
    button.disabled = false;
    button.classList.remove("is-busy");
    resting.delete(button);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-theme-switch]") && event.submitter) {
      event.preventDefault();
      setTheme(event.submitter.value);
      return;
    }
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    const again = form.matches("[data-again]") || form.method !== "post";
    if (!event.defaultPrevented && !again && event.submitter) {
      setTimeout(rest, 0, event.submitter);
    }
  });

  window.addEventListener("pageshow", () => resting.forEach(wake));

  // Filters that apply themselves: <form data-autosubmit>
  document.addEventListener("change", (event) => {
    closest(event, "form[data-autosubmit]")?.requestSubmit();
  });

  // Countdown: <span data-countdown="2027-03-01T09:00:00+00:00">; fires "countdown-over" at zero
  function tick() {
    for (const place of document.querySelectorAll("[data-countdown]")) {
      const left = Math.round((Date.parse(place.dataset.countdown) - Date.now()) / 1000);
      if (left > 0) {
        const two = (number) => String(number).padStart(2, "0");
        const hours = Math.floor(left / 3600);
        const minutes = Math.floor(left / 60) % 60;
        place.textContent = (hours ? `${hours}:` : "") + `${two(minutes)}:${two(left % 60)}`;
      } else if (!place.dataset.over) {
        place.dataset.over = "yes";
        place.textContent = place.dataset.countdownOver ?? "00:00";
        place.dispatchEvent(new CustomEvent("countdown-over", { bubbles: true }));
      }
    }
  }

  // What only works with JavaScript is hidden in the markup and shown here.
  function unveil(part) {
    for (const hidden of part.querySelectorAll("[data-copy][hidden], [data-reveal][hidden], [data-dismiss][hidden], [data-needs-js][hidden]")) {
      hidden.hidden = false;
    }
    tick();
  }

  unveil(document);
  setInterval(tick, 1000);
  document.querySelector("[data-focus], main [aria-invalid=true]")?.focus();
  document.querySelector(".manage-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  document.addEventListener("htmx:load", (event) => unveil(event.target));
  document.addEventListener("htmx:responseError", () => say(body.dataset.textFailed));
  document.addEventListener("htmx:sendError", () => say(body.dataset.textFailed));
  document.addEventListener("allauth.error", () => say(body.dataset.textPasskey));
})();
