// Search, the paste box, copy buttons, keys and the theme. The site is complete without it, but for those.
(function () {
  "use strict";
  const root = document.body.dataset.root || "", html = document.documentElement;
  const $ = (selector, from) => (from || document).querySelector(selector);
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const address = (name) => root + "errors/aws/" + name + "/" + (location.protocol === "file:" ? "index.html" : "");

  // A server finds index.html by itself: shorter addresses to share. From a folder they have to stay.
  if (location.protocol !== "file:") {
    for (const link of document.querySelectorAll('a[href$="index.html"]')) link.setAttribute("href", link.getAttribute("href").replace(/index\.html$/, "") || "./");
    for (const link of document.querySelectorAll('a[href*="index.html#"]')) link.setAttribute("href", link.getAttribute("href").replace("index.html#", "#"));
  }

  // theme
  $(".theme").addEventListener("click", () => {
    const dark = html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    html.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("unexpire-theme", html.dataset.theme); } catch { /* then it holds for this page */ }
  });

  // copy
  async function copy(text) {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not from a folder in every browser */ }
    const area = make("textarea", { class: "offscreen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
  function copyButtons(from) {
    for (const block of from.querySelectorAll("figure.code, .toc-shell")) if (!$(".copy", block)) copyButton(block);
  }
  function copyButton(block) {
    const button = make("button", { type: "button", class: "copy", "aria-label": "Copy" }, "Copy");
    button.addEventListener("click", async () => {
      const done = await copy($("code", block).textContent.replace(/\n?$/, block.matches(".code-seen, .toc-shell") ? "" : "\n"));
      button.textContent = done ? "Copied" : "Select and copy";
      button.classList.toggle("done", done);
      setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); }, 1600);
    });
    block.append(button);
  }
  copyButtons(document);
  window.UnexpireCopy = copyButtons; // for parts that come later

  // data, fetched once by whoever needs it first; as scripts, because a page from a folder may not fetch
  const loading = {};
  function load(name) {
    loading[name] = loading[name] || new Promise((resolve, reject) => {
      const script = make("script", { src: root + "static/" + name + ".js" });
      script.onload = () => resolve(window.UNEXPIRE[name]);
      script.onerror = reject;
      document.head.append(script);
    });
    return loading[name];
  }

  // search
  const fold = (text) => text.toLowerCase().replace(/[\s_-]+/g, "");
  function search(pages, query) {
    const whole = fold(query), words = query.toLowerCase().split(/[^a-z0-9.]+/).filter(Boolean);
    if (!whole || !words.length) return [];
    const found = [];
    for (const page of pages) {
      let points = 0;
      for (const name of [page.n, ...page.k]) {
        const folded = fold(name);
        if (folded === whole) points = Math.max(points, 1000);
        else if (folded.startsWith(whole)) points = Math.max(points, 500 - folded.length);
        else if (folded.includes(whole)) points = Math.max(points, 300 - folded.length);
      }
      const title = page.t.toLowerCase(), names = [page.n, ...page.k].join(" ").toLowerCase(), services = page.s.toLowerCase();
      page.set = page.set || page.w.split(" ");
      let all = true;
      for (const word of words) {
        if (names.includes(word)) points += 60;
        else if (title.includes(word)) points += 40;
        else if (services.includes(word)) points += 25;
        else if (page.set.includes(word)) points += 12;
        else if (word.length > 2 && page.set.some((other) => other.startsWith(word))) points += 6;
        else if (word.length > 2) all = false; // shorter ones are not in the index
      }
      if (points && (all || points >= 200)) found.push([points, page]);
    }
    return found.sort((a, b) => b[0] - a[0] || a[1].n.localeCompare(b[1].n)).map(([, page]) => page);
  }
  // what nobody is called: names that are spelt nearly so, then the words, each as the pages' names and titles spell it
  function nearly(pages, query) {
    const whole = fold(query);
    const close = whole.length < 4 ? [] : pages
      .map((page) => [Math.min(...[page.n, ...page.k].map((name) => steps(whole, fold(name), whole.length / 4))), page])
      .filter(([far]) => far <= whole.length / 4).sort((a, b) => a[0] - b[0]).map(([, page]) => page);
    const known = new Set(pages.flatMap((page) => split([page.n, ...page.k, page.t].join(" "))));
    const spelt = split(query).map((word) => {
      if (word.length < 4 || [...known].some((other) => other.startsWith(word))) return word;
      const far = (other) => steps(word, other, word.length / 4);
      const best = [...known].reduce((a, b) => (far(b) < far(a) ? b : a), "");
      return far(best) <= word.length / 4 ? best : word;
    });
    return [...new Set([...close, ...search(pages, spelt.join(" "))])];
  }
  const split = (text) => (text.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) || []).map((word) => word.toLowerCase());
  // letters to put in, leave out, change or swap to make one word of the other; Infinity where it is plainly more than `most`
  function steps(a, b, most) {
    if (Math.abs(a.length - b.length) > most) return Infinity;
    let before, row = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i++) {
      const last = row;
      row = [i];
      for (let j = 1; j <= b.length; j++) {
        row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] !== b[j - 1]));
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
      }
      before = last;
    }
    return row[b.length];
  }
  window.UnexpireSearch = (pages, query) => {
    const found = search(pages, query);
    return found.length ? found : nearly(pages, query);
  };

  const input = $("#find"), list = $("#found");
  let at = -1;
  const looksPasted = (text) => text.length > 50 || /[\n<{(]|: /.test(text);
  function option(page, note) {
    const attributes = { href: address(page.n), tabindex: "-1", role: "option", id: "found-" + page.n, "aria-selected": "false" };
    const link = make("a", attributes, make("span", { class: "entry-name" }, page.n), " ", make("span", { class: "entry-title" }, note || page.t));
    return make("li", { role: "presentation" }, link);
  }
  function choose(to) {
    const options = [...list.querySelectorAll("[role=option]")];
    at = options.length ? (to + options.length) % options.length : -1;
    options.forEach((o, i) => o.setAttribute("aria-selected", String(i === at)));
    if (at >= 0) { input.setAttribute("aria-activedescendant", options[at].id); options[at].scrollIntoView({ block: "nearest" }); }
  }
  function show(items) {
    list.replaceChildren(...items);
    list.hidden = !items.length;
    input.setAttribute("aria-expanded", String(!!items.length));
    input.removeAttribute("aria-activedescendant");
    at = -1;
    if ($("[role=option]", list)) choose(0);
  }
  async function find() {
    const query = input.value.trim();
    if (!query) return show([]);
    const pages = await load("search");
    if (query !== input.value.trim()) return undefined;
    let results = (looksPasted(query) ? search : UnexpireSearch)(pages, query).slice(0, 8).map((page) => option(page));
    if (!results.length || looksPasted(query)) {
      await load("matching");
      const titles = new Map(pages.map((page) => [page.n, page]));
      const named = [...new Set(window.UnexpireMatch.matches(query).map((m) => m.page).filter(Boolean))];
      results = [...named.map((name) => option(titles.get(name))), ...results.filter((r) => !named.includes($("a", r).id.slice(6)))].slice(0, 8);
    }
    return show(results.length ? results : [make("li", { class: "nothing", role: "presentation" }, "Nothing here by that name.")]);
  }
  input.addEventListener("input", find);
  input.addEventListener("focus", () => { load("search"); if (input.value) find(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(at + (event.key === "ArrowDown" ? 1 : -1)); }
    else if (event.key === "Enter" && at >= 0) { event.preventDefault(); $("[aria-selected=true]", list).click(); }
    else if (event.key === "Escape") { input.value = ""; show([]); }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".find")) show([]); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(?:INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      input.focus();
    }
  });

  // paste
  const paste = $("#paste"), verdict = $("#verdict");
  if (paste) {
    const clear = $(".clear");
    const door = (name, titles) => make("a", { class: "go", href: address(name) }, make("span", { class: "entry-name" }, name), make("span", { class: "entry-title" }, titles.get(name) || ""));
    const note = (...words) => make("p", { class: "because" }, ...words);
    const marked = (text) => text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));
    const reason = ([group, title, tell]) => make("li", { class: "reason " + group.toLowerCase() }, make("strong", {}, ...marked(title)), make("span", {}, "How to tell: ", ...marked(tell)));
    const reasons = (causes) => (causes.length ? [make("p", { class: "headline" }, causes.length > 1 ? "Causes, likeliest first" : "The cause"), make("ol", { class: "reasons" }, ...causes.map(reason))] : []);
    const quoted = (text) => make("q", {}, text.length > 140 ? text.slice(0, 140) + "…" : text);
    let turn = 0;
    async function judge() {
      const mine = ++turn, text = paste.value.trim();
      clear.hidden = !text;
      if (!text) { verdict.replaceChildren(); verdict.className = "verdict"; return; }
      const [pages, causes] = await Promise.all([load("search"), load("causes"), load("matching")]);
      if (mine !== turn) return;
      const titles = new Map(pages.map((page) => [page.n, page.t])), M = window.UnexpireMatch, found = M.matches(text);
      const led = found.filter((m) => m.page), best = found[0];
      const rest = [...new Set(led.map((m) => m.page))].filter((name) => !best || name !== best.page);
      if (best && best.page && best.auth) {
        const sure = best.tier >= M.CLIENT && (best.sentence || best.structured);
        const why = best.sentence ? ["It says ", quoted(best.sentence), best.printed ? " with the code " : "", best.printed ? make("code", {}, best.code) : "", "."]
          : best.code ? ["It names ", make("code", {}, best.code), "."] : [];
        say(sure ? "sure" : "unsure", sure ? "This is" : "Likely, but the text tells little", door(best.page, titles), note(...why), ...reasons(causes[best.page] || []),
          rest.length ? note("It also shows ", ...between(rest.slice(0, 5).map((name) => make("a", { href: address(name) }, name)))) : "");
      } else if (best && best.page) {
        say("other", "Not a matter of credentials by itself, but there is a page", door(best.page, titles), best.about ? note("It is about " + best.about + ".") : "");
      } else if (best && best.about) {
        say("other", "Not an AWS credential error", note("It comes from, or is about: " + best.about + "."));
      } else {
        const near = search(pages, text.slice(0, 80)).slice(0, 3);
        say("other", "Nothing here recognises it", note("It may be no AWS credential error. For a long log, or an error of a single service: ", make("code", {}, "unexpire explain FILE"), "."),
          ...near.map((page) => door(page.n, titles)));
      }
    }
    const between = (links) => links.flatMap((link, i) => (i ? [", ", link] : [link])).concat(".");
    function say(kind, headline, ...rest) {
      verdict.className = "verdict " + kind;
      verdict.replaceChildren(make("p", { class: "headline" }, headline), ...rest.filter(Boolean));
    }
    paste.addEventListener("input", judge);
    paste.addEventListener("focus", () => { load("search"); load("matching"); load("causes"); });
    paste.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { const go = $(".go", verdict); if (go) go.click(); } });
    clear.addEventListener("click", () => { paste.value = ""; judge(); paste.focus(); });
    for (const sample of document.querySelectorAll("[data-sample]")) sample.addEventListener("click", () => { paste.value = sample.dataset.sample; judge(); });
    if (paste.value) judge();
  }

  // which part is being read
  const toc = new Map([...document.querySelectorAll(".toc a")].map((link) => [link.hash.slice(1), link]));
  if (toc.size && "IntersectionObserver" in window) {
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of toc.values()) link.removeAttribute("aria-current");
        const link = toc.get(entry.target.id);
        if (link) link.setAttribute("aria-current", "true");
      }
    }, { rootMargin: "-10% 0px -75% 0px" });
    for (const id of toc.keys()) { const target = document.getElementById(id); if (target) watch.observe(target); }
  }
})();
