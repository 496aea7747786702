// Keeps the page as it is now: parts that changed come as events, and bars run down by themselves in between.
(function () {
  "use strict";
  const $ = (selector, from) => (from || document).querySelector(selector);
  const live = $("#live");
  let ahead = Date.now() - Number(document.body.dataset.now); // this browser's clock against the server's

  function words(ms, alive) {
    if (ms <= 0) return alive ? "kept back" : "ended";
    const seconds = Math.max(Math.floor(ms / 1000), 1), hours = Math.floor(seconds / 3600), minutes = Math.floor((seconds % 3600) / 60);
    if (hours) return minutes ? hours + " h " + minutes + " min" : hours + " h";
    if (minutes >= 10) return minutes + " min";
    if (minutes) return minutes + " min" + (seconds % 60 ? " " + (seconds % 60) + " s" : "");
    return seconds + " s";
  }
  function move() {
    const now = Date.now() - ahead;
    for (const one of document.querySelectorAll("[data-ends]")) {
      const begins = Number(one.dataset.begins), ends = Number(one.dataset.ends), usable = Number(one.dataset.usable);
      const share = Math.min(Math.max((ends - now) / Math.max(ends - begins, 1), 0), 1);
      $("[data-life]", one).setAttribute("width", (share * 100).toFixed(2) + "%");
      $("[data-left]", one).textContent = words(usable - now, ends > now);
      one.classList.toggle("over", usable <= now && !one.classList.contains("waits"));
    }
  }
  setInterval(move, 250);
  move();

  function put(name, html) {
    const part = $('[data-part="' + name + '"]');
    if (!part) return;
    const open = [...part.querySelectorAll("details[open]")].map((d) => [...part.querySelectorAll("details")].indexOf(d));
    const focused = part.contains(document.activeElement) ? [...part.querySelectorAll("a,button,summary,pre")].indexOf(document.activeElement) : -1;
    part.innerHTML = html; // our own server's, rendered by a template that escapes everything
    open.forEach((i) => { const details = part.querySelectorAll("details")[i]; if (details) details.open = true; });
    if (focused >= 0) { const again = part.querySelectorAll("a,button,summary,pre")[focused]; if (again) again.focus({ preventScroll: true }); }
    if (window.UnexpireCopy) window.UnexpireCopy(part);
  }
  const span = document.body.dataset.span, source = new EventSource("/events" + (span ? "?span=" + span : ""));
  source.onmessage = (event) => {
    const said = JSON.parse(event.data);
    ahead = Date.now() - said.now;
    for (const [name, html] of Object.entries(said.parts)) put(name, html);
    live.textContent = "Live.";
    live.className = "live on";
    move();
  };
  source.onerror = () => {
    live.textContent = "Not connected: is unexpire web still running? This is how it was.";
    live.className = "live off";
  };

  const form = $(".asking"), answer = $("#answer");
  if (form) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = $("button", form);
      button.disabled = true;
      answer.textContent = "Asking …";
      try {
        const got = await fetch("/ask?profile=" + encodeURIComponent(form.elements.profile.value), { method: "POST" });
        const text = await got.text();
        if (got.ok) answer.innerHTML = text; else answer.textContent = text;
        if (window.UnexpireCopy) window.UnexpireCopy(answer);
      } catch {
        answer.textContent = "The dashboard does not answer.";
      }
      button.disabled = false;
    });
  }
})();
