// Shows one page of the report at a time, the one that the address names behind its #.
(() => {
  "use strict";
  const pages = [...document.querySelectorAll("[data-page]")];
  const links = [...document.querySelectorAll("nav a[data-to]")];

  function elementOfAddress() {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null;
    }
  }

  function show(moved) {
    const target = elementOfAddress();
    const page = target?.closest("[data-page]") ?? pages[0];
    for (const one of pages) one.hidden = one !== page;
    for (const link of links) {
      if (link.dataset.to === page.id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (target && target !== page) target.scrollIntoView();
    else if (moved) scrollTo(0, 0);
    if (moved) (target && target !== page ? target : page.querySelector("h2"))?.focus({ preventScroll: true });
  }

  // Arrow keys, Home and End move along the contents, beside Tab and Enter.
  function moveAlong(event) {
    const here = links.indexOf(document.activeElement);
    const places = {
      ArrowDown: here + 1, ArrowRight: here + 1, ArrowUp: here - 1, ArrowLeft: here - 1,
      Home: 0, End: links.length - 1,
    };
    if (here < 0 || !(event.key in places)) return;
    event.preventDefault();
    links[(places[event.key] + links.length) % links.length].focus();
  }

  document.documentElement.classList.add("paged");
  document.querySelector("nav")?.addEventListener("keydown", moveAlong);
  addEventListener("hashchange", () => show(true));
  show(false);
})();
