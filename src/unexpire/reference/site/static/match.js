// From a pasted text to its page, in the browser: the twin of match.py, candidates.py and pages_of.py, on their own tables
// (UNEXPIRE.matching). It leaves the ranking of causes to `unexpire explain`. Nothing that is pasted leaves the page.
(function () {
  "use strict";
  const SPECIFIC = 6, CLIENT = 5, GENERIC = 4, CONTAINER = 3, BARE = 2, OTHER = 1;
  const LONGEST = 200000, MOST = 200, LEVELS = 3;
  let T = null;

  function prepare() {
    if (T) return T;
    const raw = window.UNEXPIRE && window.UNEXPIRE.matching;
    if (!raw) return null;
    const once = (p) => new RegExp(p), all = (p) => new RegExp(p, "g");
    T = Object.assign({}, raw, {
      rules: raw.rules.map(([ailment, tier, code, json, p]) => ({ ailment, tier, code, json, find: all(p) })),
      layouts: raw.layouts.map(([name, p]) => [name, all(p)]),
      classes: raw.classes.map(([name, p]) => [name, all(p)]),
      familiar: new Set(raw.familiar), notCodes: new Set(raw.notCodes), plain: new Set(raw.plain), xml: new Set(raw.xmlServices), names: new Set(raw.serviceNames),
      client: new Set(raw.tiers.client), generic: new Set(raw.tiers.generic), bare: new Set(raw.tiers.bare),
      pages: raw.pages.map(([ailment, says, page]) => [ailment, says ? once(says) : null, page]),
      products: raw.products.map(([kind, name, p]) => [kind, name, once(p)]),
      in: new Map(raw.ailmentIn.map(([ailment, code, other]) => [ailment + "|" + code, other])),
      awsSigns: once(raw.awsSigns), tls: once(raw.tls), registry: once(raw.registry), starts: once(raw.startsMachines), status400: once(raw.status400), bedrock: once(raw.bedrock), jsonBody: once(raw.jsonBody), logRecord: once(raw.logRecord),
      asExpected: once(raw.asExpected), sums: once(raw.sums), operation: all(raw.operation),
      service: all(raw.service), host: new RegExp(raw.host, "gi"), status: once(raw.status), signedUrl: once(raw.signedUrl), headersOfS3: once(raw.headersOfS3), refused: once(raw.refused), gutter: new RegExp("^(?:" + raw.gutter + ")"),
    });
    return T;
  }
  const has = (object, name) => Object.prototype.hasOwnProperty.call(object, name);
  const get = (object, name) => (name != null && has(object, name) ? object[name] : null);

  // normalise.py
  const ANSI = /\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])/g;
  const BOXES = /[│╷╵┃║┆┊╎▏▌├┤╭╮╰╯┌┐└┘─━═╔╗╚╝\u00a0\u2028\u2029\ufeff]/g;
  const PLAIN = { n: "\n", r: "\n", t: " ", f: " ", b: " " };
  const ENTITIES = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&", nbsp: "\u00a0" };

  function unescapeText(text) {
    for (let i = 0; i < LEVELS; i++) {
      const before = text;
      text = text.replace(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtfb"'\\/`]))/g,
        (_, u, x, c) => (u || x ? String.fromCharCode(parseInt(u || x, 16)) : PLAIN[c] || c));
      text = text.replace(/&(?:(lt|gt|quot|apos|amp|nbsp)|#(\d{1,5})|#x([0-9a-fA-F]{1,4}));/g,
        (_, n, d, x) => (n ? ENTITIES[n] : String.fromCharCode(d ? parseInt(d, 10) : parseInt(x, 16))));
      if (text === before) break;
    }
    return text;
  }
  function cleanOne(line) {
    line = line.replace(ANSI, "");
    for (let i = 0; i < 2; i++) {
      const gutter = T.gutter.exec(line);
      if (!gutter || gutter[0].length >= line.length) break;
      line = line.slice(gutter[0].length);
    }
    line = line.replace(BOXES, " ").replace(/[\u200b-\u200d\u2060]/g, "").replace(/[‘’]/g, "'").replace(/[“”]/g, '"')
      .replace(/[\u2010\u2011]/g, "-");
    return line.split(/\s+/).filter(Boolean).join(" ");
  }
  function clean(line) {
    if (/[\\&]/.test(line)) {
      line = unescapeText(line);
      if (line.includes("\n")) return line.split("\n").map(cleanOne).filter(Boolean).join(" ");
    }
    return cleanOne(line);
  }
  const signs = (line) => [...line].length; // an emoji is one, and two of JavaScript's
  function flatten(text, cut) {
    const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
    const width = cut ? Math.max(...lines.map(signs)) : -1;
    const starts = [];
    let out = "", glued = true;
    for (const line of lines) {
      const piece = clean(line);
      if (!piece) continue;
      if (!glued) out += " ";
      starts.push(out.length);
      out += piece;
      glued = signs(line) === width && !line.endsWith(" ");
    }
    const lower = out.toLowerCase();
    return { text: out, starts, lower: lower.length === out.length ? lower : out.replace(/[A-Z]/g, (c) => c.toLowerCase()) };
  }
  const WIDTHS = new Set([72, 76, 78, 79, 80, 90, 100, 110, 120, 128, 132, 140, 160, 180, 200]);
  function seemsCut(text) {
    const lengths = text.split("\n").map(signs), longest = Math.max(...lengths);
    return lengths.length > 1 && longest >= 40 && (lengths.filter((l) => l === longest).length > 1 || WIDTHS.has(longest));
  }

  // formats.py
  function canonical(code) {
    const dot = code.lastIndexOf(".");
    if (dot >= 0 && /^(?:client|com|aws|sender)/i.test(code) && has(T.ailmentOf, code.slice(dot + 1))) code = code.slice(dot + 1);
    return get(T.canonical, code) || code;
  }
  function mentions(text) {
    const found = new Map();
    const put = (m) => {
      const held = found.get(m.start);
      if (!held || m.structured > held.structured || (m.structured === held.structured && (m.status || 0) > (held.status || 0))) {
        found.set(m.start, m);
      }
    };
    const at = (match) => match.index + Math.max(match[0].lastIndexOf(match.groups.code), 0);
    for (const [layout, pattern] of T.layouts) {
      for (const match of text.matchAll(pattern)) {
        const code = canonical(match.groups.code);
        if (T.notCodes.has(code)) continue;
        put({ code, start: at(match), layout, structured: true, operation: match.groups.op || null, status: +match.groups.status || null });
      }
    }
    for (const match of text.matchAll(/\bstatus code: (\d{3})(?:, request id|, host id)/g)) {
      const before = text.slice(Math.max(0, match.index - 600), match.index);
      const codes = [...before.matchAll(/(?<![\w.:/])[A-Z][A-Za-z0-9]{2,79}(?=: )/g)].filter((m) => !T.notCodes.has(m[0]));
      const known = codes.filter((m) => has(T.ailmentOf, canonical(m[0]))), humps = codes.filter((m) => /[a-z0-9][A-Z]/.test(m[0]));
      const best = (known.length ? known : humps.length ? humps : codes).pop();
      if (best) {
        put({ code: canonical(best[0]), start: match.index - before.length + best.index, layout: "go", structured: true, operation: null, status: +match[1] });
      }
    }
    for (const [layout, pattern] of T.classes) {
      for (const match of text.matchAll(pattern)) {
        const code = canonical(match.groups.code);
        if (has(T.ailmentOf, code)) put({ code, start: at(match), layout, structured: true, operation: null, status: null });
      }
    }
    for (const match of text.matchAll(/(?<![\w$])[A-Z][A-Za-z0-9]{4,70}(?![\w(]|\.\w+\()/g)) {
      const code = canonical(match[0]);
      if (!has(T.ailmentOf, code)) continue;
      const plain = T.plain.has(code);
      if (plain && !looksLikeACode(text, match.index, match.index + match[0].length)) continue;
      put({ code, start: match.index, layout: "word", structured: !plain, operation: null, status: null });
    }
    return [...found.values()].sort((a, b) => a.start - b.start);
  }
  function looksLikeACode(text, start, end) {
    const after = text.slice(end, end + 3), around = (start ? text[start - 1] : "") + (text[end] || "");
    if (text.slice(start, end).endsWith("Exception") && /^ \p{Lu}/u.test(text.slice(end, end + 2))) return true;
    if (text.startsWith(" Traceback (most recent call last)", end)) return true; // IPython's first line
    return after.startsWith(": ") || after.startsWith(" - ") || ["()", "[]", '""', "''"].includes(around) || text.length < end - start + 8;
  }

  // candidates.py
  function candidates(flat) {
    const named = mentions(flat.text), found = [], taken = new Set();
    for (const rule of T.rules) {
      let place = 0;
      for (const match of flat.lower.matchAll(rule.find)) {
        if (place++ === MOST) break;
        const end = match.index + match[0].length;
        if (rule.ailment.startsWith("page:")) {
          found.push({ ailment: null, code: rule.code, start: match.index, end, tier: rule.tier, printed: false, rule, mention: null });
          continue;
        }
        const mention = codeBeside(rule, named, match.index, end);
        if (mention) taken.add(mention.start);
        const code = mention ? mention.code : rule.code;
        const ailment = T.in.get(rule.ailment + "|" + (code || "")) || rule.ailment;
        const start = mention ? Math.min(match.index, mention.start) : match.index;
        found.push({ ailment, code, start, end, tier: rule.tier, printed: !!mention, rule, mention, sentence: [match.index, end] });
      }
    }
    for (const mention of named) if (!taken.has(mention.start)) found.push(ofMention(mention));
    return found.sort((a, b) => b.tier - a.tier || a.start - b.start);
  }
  function nearest(list, start) {
    return list.reduce((best, m) => (!best || Math.abs(m.start - start) < Math.abs(best.start - start) ? m : best), null);
  }
  function codeBeside(rule, named, start, end) {
    const codes = T.codes[rule.ailment] || [];
    const fitting = named.filter((m) => codes.includes(m.code) || T.in.has(rule.ailment + "|" + m.code));
    if (fitting.length) return nearest(fitting, start);
    if (rule.tier < SPECIFIC) return null;
    return nearest(named.filter((m) => m.structured && ((start - m.start >= 0 && start - m.start < 160) || (m.start - end >= 0 && m.start - end < 120))
      && !/^\d+$/.test(m.code) && !has(T.ailmentOf, m.code) && !has(T.statusNames, m.code)), start);
  }
  function ofMention(mention) {
    let code = mention.code, ailment = get(T.ailmentOf, code), tier = ailment ? SPECIFIC : OTHER;
    if (has(T.statusCodes, code)) {
      [ailment, code] = T.statusCodes[code]; tier = BARE;
    } else if (has(T.statusNames, code) && ["ruby", "go", "dotnet", "cpp", "rust"].includes(mention.layout)) {
      ailment = T.statusNames[code]; tier = BARE;
    } else if (["AccessDenied", "AccessDeniedException"].includes(code) && has(T.assuming, mention.operation || "")) {
      ailment = T.assuming[mention.operation]; tier = SPECIFIC;
    } else if (T.client.has(code)) tier = SPECIFIC - 1;
    else if (T.generic.has(code)) tier = GENERIC;
    else if (code === "NoValidCredentialSources") tier = CONTAINER;
    else if (T.bare.has(code)) tier = BARE;
    return { ailment, code, start: mention.start, end: mention.start + mention.code.length, tier, printed: true, rule: null, mention };
  }
  function codeOf(c, service, flat) {
    if (c.printed || !c.rule || !c.rule.json) return c.code;
    if (service) return T.xml.has(service) ? c.rule.code : c.rule.json;
    if (c.ailment === "signature-expired" && /- 5 min\.?\)/.test(flat.lower.slice(c.end, c.end + 160))) return c.rule.json;
    if (["session-expired", "token-invalid"].includes(c.ailment) && T.status400.test(flat.lower)) return c.rule.json;
    const body = T.jsonBody;
    if (T.bedrock.test(flat.text.slice(Math.max(0, c.start - 40), c.start))) return c.rule.json;
    if (body.test(flat.text.slice(Math.max(0, c.start - 40), c.start)) || body.test(flat.text.slice(c.start, c.end))) return c.rule.json;
    return flat.text.startsWith("{") && !T.logRecord.test(flat.text) ? c.rule.json : c.rule.code;
  }
  function asExpected(c, flat) {
    if (c.ailment !== "session-words") return false;
    const next = flat.starts.findIndex((s) => s > c.end), lines = flat.starts.filter((s) => s <= c.start);
    return T.asExpected.test(flat.lower.slice(lines.length ? lines[lines.length - 1] : 0, next < 0 ? undefined : flat.starts[next]));
  }
  function belongs(c, flat, service) {
    const lower = flat.lower, any = (signs) => signs.some((s) => lower.includes(s));
    const word = !c.rule && c.mention && c.mention.layout === "word" && T.anybodys.includes(c.code);
    if (word && lower.length > (c.code || "").length + 8 && !T.awsSigns.test(lower)) return false;
    switch (c.ailment) {
      case "exec-failed": case "exec-missing": {
        const helper = /exec: executable "?(?:\S{0,80}\/)?([\w.-]{1,80})/.exec(lower);
        return helper ? T.awsHelpers.some((h) => helper[1].startsWith(h)) : !any(T.otherClusters);
      }
      case "cluster-refused": return !any(T.otherClusters);
      case "registry-login": return lower.includes(".ecr.") || !T.registry.test(lower);
      case "s3-head": case "s3-head-denied":
        if (c.mention && !c.rule) return !c.mention.operation || c.mention.operation.startsWith("Head") || c.code === "HTTP400";
        break;
      case "cognito-user":
        if (!c.rule) return lower.length < 40 || lower.includes("token");
        return c.printed || T.awsSigns.test(lower) || any(T.userTokens);
      case "presigned-expired": case "request-expired":
        if (!c.printed) {
          return T.awsSigns.test(lower) || any(["amz", "<servertime>", "authorization token", "accessdenied: request has expired", "requestexpired"]) || lower.length < 40 || T.starts.test(lower);
        }
        break;
      case "sso-session-revoked":
        if (!c.rule) return (!service || service === "sso") && (lower.length < 60 || any(["getrolecredentials", "list account"]));
        break;
      case "sso-role-forbidden":
        if (!c.rule) return (!service || service === "sso") && !lower.replaceAll("forbiddenexception", "").replaceAll("403 forbidden", "").includes("forbidden");
        break;
      case "session-words": return !asExpected(c, flat);
    }
    return !(c.code === "ForbiddenException" && !c.rule);
  }

  // services.py
  function serviceNamed(name) {
    const plain = name.toLowerCase().trim(), key = plain.replace(/[ ._-]/g, "").replace(/client$/, "").replace(/exception$/, "");
    const short = key.replace(/^amazon/, "").replace(/^aws/, "");
    const bare = short.replace(/service$/, "");
    for (const one of [key, short, bare]) if (has(T.serviceWords, one)) return T.serviceWords[one];
    for (const one of [plain.replace(/[ _]/g, "-"), key, short, bare]) if (T.names.has(one)) return one;
    return null;
  }
  function operationIn(text) {
    for (const match of text.matchAll(T.operation)) {
      const g = match.groups, name = g.cli || g.go || g.php || g.js || g.query || g.tcall;
      if (!name) {
        const short = g.short || g.eksctl, call = g.call || g.ecall;
        if (T.names.has(short) && call) return [call, short];
        continue;
      }
      if ((g.svc || "").trim() === "ec2imds") continue;
      return [name, serviceNamed(g.svc || "") || get(T.serviceOfOperation, name)];
    }
    return [null, null];
  }
  function serviceOfHost(text) {
    for (const match of text.matchAll(T.host)) {
      if (match[1] == null) return "ecr";
      const labels = match[1].toLowerCase().replace(/\.$/, "").split(".");
      if (labels.includes("dkr")) return "ecr";
      for (const label of labels.reverse()) {
        if (label === "s3" || /^s3-|^s3express/.test(label)) return "s3";
        if (label.startsWith("git-codecommit")) return "codecommit";
        if (label === "oidc" && labels.includes("eks")) return "eks";
        if (T.names.has(label) || ["email", "monitoring", "portal", "oidc"].includes(label)) return get(T.serviceWords, label) || label;
      }
    }
    return null;
  }
  function serviceOfSdk(text) {
    for (const match of text.matchAll(T.service)) {
      const service = serviceNamed(Object.values(match.groups).find(Boolean) || "");
      if (service) return service;
    }
    return null;
  }
  function operationAndService(text, near) {
    const window = text.slice(Math.max(0, near - 500), near + 700);
    let [operation, service] = operationIn(window);
    if (!operation) [operation, service] = operationIn(text);
    return [operation, service || serviceOfSdk(window) || serviceOfHost(window) || serviceOfHost(text) || serviceOfSdk(text)];
  }

  // foreign.py
  function whose(lower) {
    for (const [kind, name, pattern] of T.products) {
      if (!pattern.test(lower)) continue;
      if (name.startsWith(T.consumer)) return name;
      return (kind === "store" ? lower.includes("amazonaws.com") : T.awsSigns.test(lower)) ? null : name;
    }
    return T.tls.test(lower) ? "TLS: a certificate, before anything was signed" : null;
  }
  function falseFriend(code, service, operation) {
    if (has(T.falseFriends, code)) return T.falseFriends[code];
    for (const [where, what, about] of get(T.elsewhere, code) || []) {
      if ((!where || where === service) && (!what || what === operation)) return about;
    }
    return null;
  }

  // pages_of.py
  const key = (name) => name.toLowerCase().replaceAll("_", " ").split(/\s+/).filter(Boolean).join("-");
  const pageNamed = (name) => (name ? get(T.index, key(name)) : null);
  function pageOf(ailment, code, lower) {
    for (const [which, says, page] of T.pages) {
      if (which === ailment && (!says || says.test(lower)) && pageNamed(page)) return pageNamed(page);
    }
    for (const name of [code, get(T.pageOfCode, code), get(T.pageOf, ailment), ailment]) {
      if (pageNamed(name)) return pageNamed(name);
    }
    return null;
  }

  function refusal(where, lower) {
    const match = where.test(lower) && T.refused.exec(lower);
    return match ? match[1] || match[2] : "";
  }

  // match.py
  function weight(found) {
    let points = 0;
    for (const c of found) {
      if (c.tier > OTHER) points += 2 * c.tier + (c.rule ? 1 : 0) + (c.printed && (T.codes[c.ailment || ""] || []).includes(c.code) ? 1 : 0);
    }
    return [found.length ? found[0].tier : 0, points];
  }
  function one(c, flat, elsewhere) {
    let [operation, service] = operationAndService(flat.text, c.start);
    if (c.mention && c.mention.operation) operation = c.mention.operation;
    const code = codeOf(c, service, flat), friend = code ? falseFriend(code, service, operation) : null;
    const sentence = c.sentence ? flat.text.slice(c.sentence[0], c.sentence[1]) : null;
    const said = { code, tier: c.tier, printed: c.printed, sentence, structured: !!(c.mention && c.mention.structured) };
    if (!c.ailment || friend) {
      const page = elsewhere || (friend && has(T.ailmentOf, code)) ? null : pageNamed(c.rule ? c.rule.ailment.replace(/^page:/, "") : code);
      return Object.assign(said, { auth: false, page, about: friend || elsewhere });
    }
    if (elsewhere && !elsewhere.startsWith("TLS")) return Object.assign(said, { auth: false, page: null, about: elsewhere });
    if (!belongs(c, flat, service)) return Object.assign(said, { auth: false, page: null, about: null });
    return Object.assign(said, { auth: true, page: pageOf(c.ailment, code, flat.lower), about: null });
  }

  /** Every distinct error of the text, the one that tells most first: {page, code, auth, about, sentence, printed, tier}. */
  function matches(text) {
    if (!prepare()) return [];
    const whole = text.slice(0, LONGEST);
    const own = /^([a-z][a-z-]+):/.exec(whole.replace(/^[ \n\t✗✓!?]+|[ \n\t✗✓!?]+$/g, ""));
    if (own && T.own.includes(own[1]) && whole.length <= 2000) {
      return [{ page: pageNamed(own[1]), code: own[1], auth: true, about: null, sentence: null, printed: true, structured: true, tier: SPECIFIC }];
    }
    let flat = flatten(whole, false), found = candidates(flat);
    if (seemsCut(whole)) {
      const glued = flatten(whole, true), again = candidates(glued), [a, b] = weight(again), [x, y] = weight(found);
      if (a > x || (a === x && b > y)) { flat = glued; found = again; }
    }
    const elsewhere = whose(flat.lower), groups = new Set(), results = [];
    if (!found.some((c) => c.tier > OTHER || c.printed)) {
      const status = T.status.exec(flat.text), value = status ? +status.slice(1).find(Boolean) : 0, url = refusal(T.signedUrl, flat.lower), headers = refusal(T.headersOfS3, flat.lower);
      T.host.lastIndex = 0;
      const refused = has(T.refusedUrl, url) ? [T.refusedUrl[url], url] : has(T.refusedHeaders, headers) ? [T.refusedHeaders[headers], headers] : null;
      if (refused) {
        found = [{ ailment: refused[0], code: "HTTP" + refused[1], start: 0, end: 0, tier: BARE, printed: true, rule: null, mention: null }, ...found];
      } else if ((value === 401 || value === 403) && T.host.test(flat.text)) {
        found = [{ ailment: "denied-status", code: null, start: 0, end: 0, tier: BARE, printed: false, rule: null, mention: null }, ...found];
      }
    }
    for (const c of found) {
      const group = c.ailment + "|" + c.code;
      if (groups.has(group)) continue;
      if (c.tier === OTHER && results.length) break;
      groups.add(group);
      const failed = found.find((other) => other.ailment === c.ailment && other.code === c.code && !asExpected(other, flat));
      results.push(one(failed || c, flat, elsewhere));
    }
    const sum = results.length && results[0].auth && !results[0].code ? T.sums.exec(flat.text) : null;
    if (sum) Object.assign(results[0], { code: sum[0], printed: true });
    if (!results.length && T.signedUrl.test(flat.lower)) {
      const gone = refusal(T.signedUrl, flat.lower) === "404";
      results.push({ page: gone ? null : pageNamed("presigned-url-expired"), code: null, auth: !gone, about: gone ? T.nothingThere : null, tier: BARE });
    }
    if (!results.length && elsewhere) results.push({ page: null, code: null, auth: false, about: elsewhere, tier: OTHER });
    if (!results.length) {
      const word = (flat.text.match(/\b[A-Z]\w{5,40}\b/g) || []).find((w) => T.familiar.has(w));
      if (word) results.push({ page: pageNamed(word), code: word, auth: false, about: null, tier: OTHER });
    }
    return results.filter((r) => r.auth).concat(results.filter((r) => !r.auth));
  }

  window.UnexpireMatch = { matches, SPECIFIC, CLIENT, GENERIC, CONTAINER, BARE, OTHER };
})();
